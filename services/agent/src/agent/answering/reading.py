"""Asks the reading model, if there is one: whether passages answer, and whether spans support sentences.

It is asked within a time of its own. What it does not say in time, or can't tell, the rules decide as without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from agent.answering.state import Context
from agent.errors import is_policy
from agent.metrics import READINGS
from agent.ports import ReadPart
from agent.questions.language import may_be_in
from agent.relevance.evidence import Evidence
from agent.relevance.reading import WindowReading, read_alone, read_by
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
    readings, alone = await _readings(evidence, context)
    if not readings:
        return evidence
    if alone:
        return read_alone(evidence, readings, context.settings.reader_threshold)
    return read_by(evidence, readings, context.settings.abstain_threshold)


async def readings_of(evidence: Evidence, context: Context) -> list[WindowReading]:
    """What the reading model says of the best windows; empty where it is not asked, or can't say."""
    readings, _ = await _readings(evidence, context)
    return readings


async def _readings(evidence: Evidence, context: Context) -> tuple[list[WindowReading], bool]:
    """And whether it counts alone."""
    if not evidence.ranked or context.reader is None or not may_read("passages", context):
        return [], False
    asked = evidence.question
    helped = asked.text if context.reader.alone else in_words_of_best(asked, evidence.ranked)
    found = windows(evidence.ranked, evidence.found, context.settings.reader_passages)
    reply, chosen = await _read_windows(helped, found, context)
    if reply is not None and reply.alone and helped != asked.text:  # that it needs no help was not known before
        reply, chosen = await _read_windows(asked.text, found, context)
    if reply is None:
        return [], False
    places = {id(one.passage): place for place, one in enumerate(evidence.ranked)} if reply.alone else None
    readings = [_reading_of(window, one, places) for window, one in zip(chosen, reply.passages, strict=True)]
    return [one for one in readings if one is not None and _is_read((one.window.text,), context)], reply.alone


async def _read_windows(
    question: str, found: Sequence[Window], context: Context
) -> tuple[ReadingReply | None, list[Window]]:
    """What is said of those windows whose language is read; None where that of the question or the best one is not: the
    rules saw the best of them, and the model would see others."""
    if not found or not _is_read((question, found[0].text), context):
        return None, []
    chosen = [one for one in found if _is_read((one.text,), context)]
    reply = await _read(ReadingRequest(question=question, passages=[one.text for one in chosen]), "passages", context)
    return (reply if _is_read((question, found[0].text), context) else None), chosen


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


def _reading_of(window: Window, reading: PassageReading, places: Mapping[int, int] | None) -> WindowReading | None:
    """With `places`, the rank of each passage, a quote whose words the window has again is that of the best one, unless
    the reader did not mean the first."""
    if reading.answers is None:
        return None
    if reading.span is None:
        return WindowReading(window, reading.answers, None)
    quoted = reading.span.start, reading.span.end
    if places is not None:

        def place(span: tuple[int, int]) -> int:
            passage = window.passage_at(*span)
            return len(places) if passage is None else places.get(id(passage), len(places))

        again = window.repeated(*quoted)
        quoted = min(again, key=place) if again[:1] == [quoted] else quoted
    holding = window.passage_at(*quoted)
    return WindowReading(window, reading.answers, holding, window.passages_of(*quoted) or [holding] if holding else [])


async def _read(request: ReadingRequest, part: ReadPart, context: Context) -> ReadingReply | None:
    assert context.reader is not None
    left = context.settings.reader_seconds - context.receipt.seconds(STAGE)
    try:
        async with asyncio.timeout(max(0.0, left)):
            with context.receipt.stage(STAGE, traced=False) as timer, context.receipt.model_call():
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
