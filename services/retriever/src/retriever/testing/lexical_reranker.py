"""Rerank without a model: the share of the query's words that a text has. For tests and trials; deterministic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from retriever.models.protocol import Relevance
from retriever.text.terms import terms
from servicekit.core.errors import ServiceError


class LexicalReranker:
    """`Reranker` that counts words, and keeps what it was asked for.

    `failure`, if set, is raised instead; `meanwhile`, if set, is awaited first, as time passes while a model works.
    `abandoned` counts the calls that were cancelled in it.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.models: list[str] = []
        self.failure: ServiceError | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.abandoned = 0

    async def relevance(self, model: str, query: str, texts: Sequence[str], token: str) -> Relevance:
        """Scores from 0 to 1, whatever the model is called; a token is a word."""
        self.models.append(model)
        self.calls.append((query, list(texts)))
        if self.failure is not None:
            raise self.failure
        if self.meanwhile is not None:
            finished = False
            try:
                await self.meanwhile()
                finished = True
            finally:
                self.abandoned += not finished
        wanted = set(terms(query))
        found = [set(terms(text)) for text in texts]
        tokens = sum(len(text.split()) + len(query.split()) for text in texts)
        return Relevance([len(wanted & words) / max(1, len(wanted)) for words in found], tokens)
