"""Checks one sentence of a draft against the sources: facts by rules, meaning by a reading model if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agent.answering.drafting.drafts import DraftSentence
from agent.answering.reading import may_read, read_support
from agent.answering.state import Context
from agent.errors import is_policy
from agent.grounding.acceptance import Checked
from agent.grounding.entailment import Readable, Verdict
from agent.grounding.support import AgreeingSpan, find_candidates, find_spans, is_factual, words_needed
from agent.grounding.verbatim import find_verbatim
from agent.metrics import SENTENCES
from agent.relevance.evidence import Evidence
from agent.relevance.passages import Passage
from agent.sanitisation.sanitiser import sanitise
from servicekit.core.errors import ServiceError


async def check(sentence: DraftSentence, evidence: Evidence, context: Context) -> Checked | None:
    """The sentence as it may be shown, with the span that supports it; None if there is none."""
    return (await examine(sentence, evidence, context))[0]


async def examine(
    sentence: DraftSentence, evidence: Evidence, context: Context
) -> tuple[Checked | None, Passage | None]:
    """The same, and a passage that contradicts the sentence, if there is one."""
    text = sanitise(sentence.text).strip()
    if not is_factual(text):
        SENTENCES.labels("not_factual").inc()
        return None, None
    verdict = await _verdict(text, evidence, context)
    if verdict.support is None:
        SENTENCES.labels("unsupported" if verdict.against is None else "contradicted").inc()
        return None, verdict.against
    SENTENCES.labels("supported").inc()
    return Checked(text, sentence.separator, verdict.support), verdict.against


async def _verdict(text: str, evidence: Evidence, context: Context) -> Verdict:
    """What stands in a source word for word is supported there, whatever else is read or can't be."""
    verbatim = find_verbatim(text, evidence.found)
    among = find_candidates(text, evidence.compared, evidence.found)
    try:
        verdict = await _judge(text, among, await _spans(text, among, evidence, context), context)
    except ServiceError as error:
        if verbatim is None or is_policy(error):
            raise
        context.receipt.degrade("embeddings_unavailable")
        return Verdict(verbatim)
    if verbatim is None:
        return verdict
    against = verdict.against if verdict.against and verdict.against.hit is not verbatim.hit else None
    return Verdict(replace(verbatim, against=against), against)


async def _spans(text: str, among: list[Passage], evidence: Evidence, context: Context) -> Iterator[AgreeingSpan]:
    vectors = None
    if evidence.vectors is not None:
        words = words_needed(text, among, context.lexicon)
        vectors = await context.vectors_of([text, *(passage.embedded_text for passage in among)], words)
    rest, own = (vectors[1:], vectors[0]) if vectors else (None, None)
    return find_spans(
        text,
        among,
        rest,
        own,
        context.lexicon,
        falling_short=may_read("pairs", context),
        unrelated=context.comparison.unrelated,
    )


async def _judge(text: str, among: list[Passage], spans: Iterator[AgreeingSpan], context: Context) -> Verdict:
    """By a reading model; by the wording alone where none reads."""
    if not may_read("pairs", context):
        first = next(spans, None)
        return Verdict(first.support if first is not None else None)
    given = Readable.of(text, spans, among)
    readings = await read_support(text, given.premises, context)
    if readings is not None:
        return given.verdict(readings, context.settings.reader_support)
    first = next((span for span in given.spans if span.is_enough), None)
    return Verdict(first.support if first is not None else None)
