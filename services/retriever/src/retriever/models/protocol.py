"""The models that the service asks: the source of embeddings and the reranker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from contracts.models.reading import Languages

Priority = Literal["query", "bulk"]


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A concrete model that a collection can be bound to."""

    name: str
    dimensions: int
    max_input_tokens: int
    languages: Languages | None = None
    """What it reads well; null where nobody said it."""
    is_default: bool = False
    unrelated_cosine: float = 0.0
    """What texts have that have nothing to do with each other."""
    is_failed: bool = False
    """Whether it could not be loaded where it is served."""
    below: str | None = None
    """The model whose vectors its passages have, where it moves those of queries alone."""

    @property
    def passages(self) -> str:
        """The model whose vectors its passages have."""
        return self.below or self.name


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors in the order of the texts, the tokens that the model read, and how many texts it did not read whole."""

    vectors: list[list[float]]
    tokens: int
    truncated: int = 0


class Embedder(Protocol):
    """Turns texts into vectors; `token` is the caller's delegation token."""

    async def get_model(self, name: str, token: str) -> EmbeddingModel:
        """The model that `name` (or `default`) means; raises `EmbeddingModelUnknown`."""
        ...

    async def list_models(self, token: str) -> list[EmbeddingModel]:
        """All that there are, in their order."""
        ...

    async def embed(self, model: str, texts: Sequence[str], priority: Priority, token: str) -> Embeddings:
        """One vector a text, unit length not promised; raises a `ServiceError` when the model can't answer."""
        ...

    async def probe(self) -> None:
        """Raise unless embeddings can be made now."""
        ...


@dataclass(frozen=True, slots=True)
class Relevance:
    """How relevant each text is to a query, in the order of the texts: finite, higher for more, on the model's own
    scale. `tokens` is what the model read.
    """

    scores: list[float]
    tokens: int


class Reranker(Protocol):
    """Reads a query together with each text. Leaving a call ends its work; `token` is the caller's delegation token."""

    async def relevance(self, model: str, query: str, texts: Sequence[str], token: str) -> Relevance:
        """A score a text, by the rerank model of that name or `default`; raises a `ServiceError` when there is none or
        it can't answer."""
        ...
