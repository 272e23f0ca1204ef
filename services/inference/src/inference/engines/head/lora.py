"""Embeddings whose questions are read by an encoder of their own: the embedding model's, with what was learnt beside
its layers (LoRA). It takes memory from its first question on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from inference.catalog.learnt.lora import Lora
from inference.engines.head.projection import OverEmbedding, Projected
from inference.protocol.engines import EmbeddingEngine, EmbeddingResult, ExtraFields, Priority


class LoraEmbedding(OverEmbedding):
    """`inner` reads questions, with a queue of its own."""

    def __init__(
        self, name: str, lora: Lora, reads: int, find: Callable[[str], Projected], inner: EmbeddingEngine
    ) -> None:
        """As `OverEmbedding`."""
        super().__init__(name, lora, reads, find)
        self._inner = inner

    async def close(self) -> None:
        """Stop work."""
        await self._inner.close()

    async def probe(self) -> None:
        """Raise unless its embedding model answers, is the one that it was learnt on, and its own encoder, where it is
        loaded, answers, too."""
        await super().probe()
        await self._inner.probe()

    async def _questions(
        self, origin: Projected, texts: Sequence[str], priority: Priority, extra: ExtraFields
    ) -> EmbeddingResult:
        return await self._inner.embed([origin.query_prefix + text for text in texts], priority, extra)
