"""Checks one sentence of a draft against the sources."""

from __future__ import annotations

from agent.acceptance import Checked
from agent.answers import Context, Evidence
from agent.drafts import DraftSentence
from agent.grounding import is_factual, support, words_needed
from agent.metrics import SENTENCES
from agent.neutral import neutralise


async def check(sentence: DraftSentence, evidence: Evidence, context: Context) -> Checked | None:
    """The sentence as it may be shown, with the span that supports it; None if there is none."""
    text = neutralise(sentence.text).strip()
    if not is_factual(text):
        SENTENCES.labels("not_factual").inc()
        return None
    vector = None
    if evidence.vectors is not None:
        words = words_needed(text, evidence.compared, context.lexicon)
        embedded = await context.models.embed([text, *words], context.token)
        context.ledger.tokens.embedding += embedded.tokens
        vector = embedded.vectors[0]
        context.lexicon.learn(words, embedded.vectors[1:])
    found = support(text, evidence.compared, evidence.vectors, vector, context.lexicon)
    SENTENCES.labels("supported" if found else "unsupported").inc()
    return Checked(text, sentence.separator, found) if found else None
