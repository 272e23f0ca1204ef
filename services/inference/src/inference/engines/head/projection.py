"""Embeddings by what was learnt on an embedding model that is served beside it: questions are others, passages are not.

A collection's vectors, which are passages', are those of the embedding model itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from contracts.models.catalog import InputType
from inference.catalog.learnt.lora import Lora
from inference.catalog.learnt.projections import Projection
from inference.engines.errors import ProjectionUnusable
from inference.engines.head.origin import find_origin
from inference.protocol.engines import NO_EXTRA_FIELDS, EmbeddingResult, ExtraFields, Priority, Vectors
from inference.protocol.prefixes import NO_PREFIXES, Prefixes
from inference.protocol.tokens import TokenCodec

INPUT_TYPE = "input_type"
"""The field that tells it what its texts are: it has the prefixes of its embedding model put before them."""


@dataclass(frozen=True, slots=True)
class Projected:
    """The embedding model below one, as it is served now."""

    digest: str | None
    dimensions: int
    is_remote: bool
    is_over: bool
    """Whether it is such a one itself."""
    query_prefix: str
    """What it puts before a question."""
    readable: int | None
    """Tokens of a text that it reads; None where nobody knows."""
    embed: Callable[[Sequence[str], Priority, InputType, ExtraFields], Awaitable[EmbeddingResult]]
    load: Callable[[], Awaitable[None]]
    probe: Callable[[], Awaitable[None]]
    tokenizer: Callable[[], bytes | None]
    tokens: Callable[[], TokenCodec | None]


class OverEmbedding:
    """An `EmbeddingEngine` whose passages are an embedding model's. `find` gives that model by its name, and raises
    `ModelNotFound`."""

    def __init__(self, name: str, learnt: Projection | Lora, reads: int, find: Callable[[str], Projected]) -> None:
        """`reads`: tokens of a text, as it is declared."""
        self._name = name
        self._reads = reads
        self._learnt = learnt
        self._find = find

    async def _questions(
        self, origin: Projected, texts: Sequence[str], priority: Priority, extra: ExtraFields
    ) -> EmbeddingResult:
        """Their vectors; each form has its own."""
        raise NotImplementedError

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def probe(self) -> None:
        """Raise unless its embedding model answers, and is the one that it was learnt on."""
        await self._origin().probe()

    async def load(self) -> None:
        """Have its embedding model take up its work."""
        await self._origin().load()

    def tokenizer(self) -> bytes | None:
        """The embedding model's."""
        return self._origin().tokenizer()

    def tokens(self) -> TokenCodec | None:
        """The embedding model's."""
        return self._origin().tokens()

    def prefixes(self) -> Prefixes:
        """None here: its embedding model puts its own before the texts."""
        return NO_PREFIXES

    @property
    def embedding_model(self) -> str:
        """Whose vectors its passages have."""
        return self._learnt.embedding_model

    async def embed(
        self, texts: Sequence[str], priority: Priority, extra: ExtraFields = NO_EXTRA_FIELDS
    ) -> EmbeddingResult:
        """Vectors of questions, or of passages where `extra` or the priority says so; raises `ProjectionUnusable`
        where the embedding model is another one now."""
        kind: InputType = extra.get(INPUT_TYPE) or ("query" if priority == "query" else "passage")
        others = {name: value for name, value in extra.items() if name != INPUT_TYPE}
        origin = self._origin()
        if kind == "passage":
            return await origin.embed(texts, priority, kind, others)
        return await self._questions(origin, texts, priority, others)

    def _origin(self) -> Projected:
        learnt = self._learnt
        found = find_origin(self._name, learnt, learnt.dimensions, self._find, ProjectionUnusable)
        if found.is_over:
            raise ProjectionUnusable(self._name, f"its embedding model '{learnt.embedding_model}' was learnt, too")
        if found.readable is not None and self._reads > found.readable:
            base = f"'{learnt.embedding_model}' reads {found.readable}"
            raise ProjectionUnusable(self._name, f"its max_input_tokens are {self._reads}, and {base}")
        return found


class ProjectedEmbedding(OverEmbedding):
    """Its questions are the embedding model's, moved. Its queue is that model's."""

    def __init__(self, name: str, projection: Projection, reads: int, find: Callable[[str], Projected]) -> None:
        """As `OverEmbedding`."""
        super().__init__(name, projection, reads, find)
        self._down, self._up = projection.matrices()

    async def _questions(
        self, origin: Projected, texts: Sequence[str], priority: Priority, extra: ExtraFields
    ) -> EmbeddingResult:
        embedded = await origin.embed(texts, priority, "query", extra)
        return replace(embedded, vectors=await asyncio.to_thread(self._moved, embedded.vectors))

    def _moved(self, vectors: Vectors) -> Vectors:
        moved = vectors + (vectors @ self._down) @ self._up
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        unit: Vectors = (moved / np.maximum(lengths, 1e-12)).astype(np.float32)
        return unit
