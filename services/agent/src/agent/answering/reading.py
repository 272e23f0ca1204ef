"""Asks the reading model, if there is one: whether passages answer, and whether spans support sentences.

It is asked within a time of its own. What it does not say in time, or can't tell, the rules decide as without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from agent.answering.state import Context
from agent.errors import is_policy
from agent.metrics import READINGS
from agent.ports import ReadPart
from agent.questions.language import may_be_in
from agent.relevance.evidence import Evidence
from agent.relevance.reading import WindowReading, read_by
from agent.relevance.rows import in_words_of_best
from agent.relevance.windows import Window, windows
from contracts.models.reading import PairReading, PassageReading, ReadingReply, ReadingRequest, SentencePair
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
UNAVAILABLE = "reader_unavailable"
STAGE = "read"


def may_read(part: ReadPart, context: Context) -> bool:
    """Whether it is worth preparing what would be read."""
    reader = context.reader
    return reader is not None and UNAVAILABLE not in context.receipt.degraded and reader.may_read(part)


async def read_evidence(evidence: Evidence, context: Context) -> Evidence:
    """The evidence as the reading model sees it; as it is where there is none that tells answers."""
    readings = await readings_of(evidence, context)
    return read_by(evidence, readings, context.settings.abstain_threshold) if readings else evidence


async def readings_of(evidence: Evidence, context: Context) -> list[WindowReading]:
    """What the reading model says of the best windows; empty where it is not asked, or can't say."""
    if not evidence.ranked or not may_read("passages", context):
        return []
    question = in_words_of_best(evidence.question, evidence.ranked)
    found = windows(evidence.ranked, evidence.found, context.settings.reader_passages)
    if not found or not _is_read((question, found[0].text), context):
        return []  # the rules saw the best of them, and the model would see others
    chosen = [one for one in found if _is_read((one.text,), context)]
    reply = await _read(ReadingRequest(question=question, passages=[one.text for one in chosen]), "passages", context)
    if reply is None or not _is_read((question, found[0].text), context):
        return []
    readings = [one for one in map(_reading_of, chosen, reply.passages) if one is not None]
    return [one for one in readings if _is_read((one.window.text,), context)]


async def read_support(sentence: str, premises: Sequence[str], context: Context) -> list[PairReading] | None:
    """How far each premise supports a sentence, all in one call; None where no model says it of all."""
    if not premises or not may_read("pairs", context) or not _is_read((sentence, *premises), context):
        return None
    pairs = [SentencePair(premise=premise, sentence=sentence) for premise in premises]
    reply = await _read(ReadingRequest(pairs=pairs), "pairs", context)
    return reply.pairs if reply is not None and _is_read((sentence, *premises), context) else None


def _is_read(texts: Sequence[str], context: Context) -> bool:
    """Whether all are in languages that the model reads; they are known from its first reply on."""
    languages = context.reader.languages if context.reader is not None else None
    return all(may_be_in(text, languages) for text in texts)


def _reading_of(window: Window, reading: PassageReading) -> WindowReading | None:
    if reading.answers is None:
        return None
    span = reading.span
    holding = window.passage_at(span.start, span.end) if span is not None else None
    return WindowReading(window, reading.answers, holding)


async def _read(request: ReadingRequest, part: ReadPart, context: Context) -> ReadingReply | None:
    assert context.reader is not None
    left = context.settings.reader_seconds - context.receipt.seconds(STAGE)
    try:
        async with asyncio.timeout(max(0.0, left)):
            with context.receipt.stage(STAGE) as timer:
                reply = await context.reader.read(request, context.token)
                timer.counts = reply is not None
    except (ServiceError, TimeoutError) as error:
        if isinstance(error, ServiceError) and is_policy(error):
            raise
        log.warning("reading model unavailable", part=part, code=getattr(error, "code", "late"))
        READINGS.labels(part, "unavailable").inc()
        context.receipt.degrade(UNAVAILABLE)
        return None
    READINGS.labels(part, "none" if reply is None else "read").inc()
    if reply is not None:
        context.receipt.tokens.reading += reply.usage.total_tokens
    return reply
