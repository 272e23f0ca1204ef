"""Checks one sentence of a draft against the sources."""

from __future__ import annotations

from agent.answering.drafts import DraftSentence
from agent.answering.state import Context
from agent.grounding.acceptance import Checked
from agent.grounding.support import find_candidates, find_support, is_factual, words_needed
from agent.metrics import SENTENCES
from agent.relevance.evidence import Evidence
from agent.sanitisation.sanitiser import sanitise


async def check(sentence: DraftSentence, evidence: Evidence, context: Context) -> Checked | None:
    """The sentence as it may be shown, with the span that supports it; None if there is none."""
    text = sanitise(sentence.text).strip()
    if not is_factual(text):
        SENTENCES.labels("not_factual").inc()
        return None
    among = find_candidates(text, evidence.compared, evidence.found)
    vectors = None
    if evidence.vectors is not None:
        words = words_needed(text, among, context.lexicon)
        vectors = await context.vectors_of([text, *(passage.embedded_text for passage in among)], words)
    found = find_support(
        text, among, vectors[1:] if vectors else None, vectors[0] if vectors else None, context.lexicon
    )
    SENTENCES.labels("supported" if found else "unsupported").inc()
    return Checked(text, sentence.separator, found) if found else None
