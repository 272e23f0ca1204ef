"""Classification by a trained head on the vectors of an embedding model that is served beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inference.catalog.learnt.heads import Head
from inference.engines.errors import HeadUnusable
from inference.engines.head.origin import find_origin
from inference.errors import ModelNotReady
from inference.protocol.engines import ClassificationResult, EmbeddingResult, Vectors
from inference.protocol.tokens import TokenCodec


@dataclass(frozen=True, slots=True)
class Embedded:
    """An embedding model as it is served now. `digest`: of its files, None where or while nobody knows them."""

    digest: str | None
    dimensions: int
    embed: Callable[[Sequence[str]], Awaitable[EmbeddingResult]]
    parts: Callable[[str], Awaitable[list[str]]]
    probe: Callable[[], Awaitable[None]]
    is_remote: bool = False
    """Whether a server has its files, so that their digest will never be known."""


class HeadClassifier:
    """A `ClassificationEngine`. `read` gives the head, and blocks; `find` the embedding model of a name, and raises
    `ModelNotFound`. Its queue is that model's."""

    def __init__(
        self, name: str, read: Callable[[], Head], find: Callable[[str], Embedded], declared: Head | None = None
    ) -> None:
        """`declared`: the head where it is known before it is read, so that its labels and its model are, too."""
        self._name = name
        self._declared = declared
        self._read = read
        self._find = find
        self._head: Head | None = None
        self._weights: Vectors = np.zeros((0, 0), dtype=np.float32)
        self._bias: Vectors = np.zeros(0, dtype=np.float32)

    async def open(self) -> None:
        """Read the head; raises `CannotLoad` or `OSError`."""
        self._head = head = await asyncio.to_thread(self._read)
        self._weights, self._bias = head.matrix(), head.offsets()

    async def close(self) -> None:
        """Nothing to free."""

    async def probe(self) -> None:
        """Raise unless its embedding model answers, and is the one that it was trained on."""
        await self._embedding().probe()

    def tokenizer(self) -> bytes | None:
        """The embedding model's is asked of that."""
        return None

    def tokens(self) -> TokenCodec | None:
        """The same."""
        return None

    def labels(self) -> tuple[str, ...]:
        """Those that it was trained on."""
        head = self._head or self._declared
        return head.labels if head is not None else ()

    def embedding_model(self) -> str | None:
        """The one that it was trained on."""
        head = self._head or self._declared
        return head.embedding_model if head is not None else None

    async def classify(self, texts: Sequence[str]) -> ClassificationResult:
        """The softmax of the head's outputs; raises `HeadUnusable` where the embedding model is another one now."""
        embedded = await self._embedding().embed(texts)
        scores = _softmax(embedded.vectors @ self._weights.T + self._bias)
        return ClassificationResult(self.labels(), scores, embedded.tokens, embedded.truncated)

    async def parts(self, text: str) -> list[str]:
        """As the embedding model reads it."""
        return await self._embedding().parts(text)

    def _embedding(self) -> Embedded:
        """The model that it was trained on."""
        if self._head is None:
            raise ModelNotReady(self._name, "it is loading")
        return find_origin(self._name, self._head, self._weights.shape[1], self._find, HeadUnusable)


def _softmax(outputs: Vectors) -> Vectors:
    raised = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares: Vectors = raised / raised.sum(axis=1, keepdims=True)
    return shares
