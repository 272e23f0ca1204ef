"""Vectors of texts and words for comparing, each embedded once: the next sentence or question often needs the same."""

from __future__ import annotations

from collections.abc import Sequence

from agent.answering.state import Context
from agent.ports import Vector


async def vectors_of(context: Context, texts: Sequence[str], words: Sequence[str] = ()) -> list[Vector]:
    """The vectors of the texts; unknown words are learned in the same call. Raises what the model plane raises."""
    found = context.texts.known(texts)
    fresh = [text for text in dict.fromkeys(texts) if text not in found]
    if fresh or words:
        embedded = await context.models.embed([*fresh, *words], context.token)
        context.ledger.tokens.embedding += embedded.tokens
        vectors = embedded.vectors
        context.texts.learn(fresh, vectors[: len(fresh)])
        context.lexicon.learn(words, vectors[len(fresh) :])
        found.update(zip(fresh, vectors, strict=False))
    return [found[text] for text in texts]
