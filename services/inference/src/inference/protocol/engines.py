"""What inference can put behind its API: engines for chat, embeddings, rerank and reading."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from contracts.models.chat import ChatRequest
from contracts.models.reading import PairReading, PassageReading, Reads
from inference.protocol.prefixes import Prefixes
from inference.protocol.tokens import TokenCodec
from servicekit.streams.chunks import has_content

R_co = TypeVar("R_co", covariant=True)
Pair = tuple[str, str]
Priority = Literal["query", "bulk"]
Vectors = NDArray[np.float32]
ExtraFields = Mapping[str, Any]
"""Fields of a request that this service does not know."""
NO_EXTRA_FIELDS: ExtraFields = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a streamed answer in OpenAI's terms: choices with `index`, `delta` and `finish_reason`.

    `usage` comes once, with the last piece or after it. `extra` holds further top-level fields of an upstream.
    """

    choices: tuple[dict[str, Any], ...] = ()
    usage: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def has_content(self) -> bool:
        """Whether it holds more than roles."""
        return self.usage is not None or any(map(has_content, self.choices))


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer: choices with `index`, `message` and `finish_reason`, and the tokens used."""

    choices: tuple[dict[str, Any], ...]
    usage: dict[str, Any] | None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """Vectors of the inputs, in their order: normalised float32 rows."""

    vectors: Vectors
    tokens: int
    """Tokens read, those cut off not among them."""
    truncated: int
    """How many inputs were longer than the model reads."""


@dataclass(frozen=True, slots=True)
class RankingResult:
    """A relevance score for each document, in the documents' order."""

    scores: tuple[float, ...]
    tokens: int
    truncated: int


@dataclass(frozen=True, slots=True)
class ClassificationResult:
    """A row of scores for each input, in their order; each score, from 0 to 1, is the label's of its column."""

    labels: tuple[str, ...]
    scores: Vectors
    tokens: int = 0
    """Tokens read, those cut off not among them."""
    truncated: int = 0
    completion_tokens: int = 0
    """Tokens written, by an engine that writes."""


@dataclass(frozen=True, slots=True)
class ReadingResult(Generic[R_co]):
    """A reading for each passage or pair, in their order."""

    readings: tuple[R_co, ...]
    tokens: int = 0
    """Tokens read, those cut off not among them."""
    truncated: int = 0
    completion_tokens: int = 0
    """Tokens written, by an engine that writes."""
    cached: int = 0
    """How many were known from the same answer before."""


@dataclass(frozen=True, slots=True)
class FeatureResult:
    """Readings of passages, and what each was read by: a row of numbers."""

    result: ReadingResult[PassageReading]
    features: Vectors


class Engine(Protocol):
    """What all engines have in common."""

    async def open(self) -> None:
        """Load or connect; may take long. Raises when the model can't be had."""
        ...

    async def close(self) -> None:
        """Stop work and free what was opened."""
        ...

    async def probe(self) -> None:
        """Raise unless the model really answers now."""
        ...

    def tokenizer(self) -> bytes | None:
        """The model's `tokenizer.json`, without truncation and padding; None where it is not known."""
        ...

    def tokens(self) -> TokenCodec | None:
        """What turns texts into the model's tokens and back; None where nothing does."""
        ...


@runtime_checkable
class ChatEngine(Engine, Protocol):
    """Answers conversations.

    What a request asks for and an engine can't do is refused (400), never ignored. Both calls raise before the
    first piece where they can; abandoning either stops the work and frees its slot.
    """

    def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """The answer while it is made."""
        ...

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer."""
        ...


@runtime_checkable
class EmbeddingEngine(Engine, Protocol):
    """Turns texts into vectors. A text's vector does not depend on the texts beside it."""

    def prefixes(self) -> Prefixes:
        """Those that the model's own files name; what is declared goes before."""
        ...

    async def embed(
        self, texts: Sequence[str], priority: Priority, extra: ExtraFields = NO_EXTRA_FIELDS
    ) -> EmbeddingResult:
        """Vectors of the texts; a `query` never waits behind `bulk` for longer than one batch.

        `extra` fields of the request that it does not know it refuses, or a server behind it sees them.
        """
        ...


class RerankEngine(Engine, Protocol):
    """Scores documents by their relevance to a query."""

    async def rank(self, query: str, documents: Sequence[str], extra: ExtraFields = NO_EXTRA_FIELDS) -> RankingResult:
        """A score for each document, higher for more relevant. `extra` fields as for embeddings."""
        ...


@runtime_checkable
class ReadingEngine(Engine, Protocol):
    """Reads passages for a question, and sentences against premises. What it can't tell is null in its readings.

    It is asked only for what it `reads`. A `query` waits for no more than one batch of `bulk`.
    """

    def reads(self) -> frozenset[Reads]:
        """What it can tell; known once it is loaded."""
        ...

    async def read(
        self, question: str, passages: Sequence[str], priority: Priority = "query"
    ) -> ReadingResult[PassageReading]:
        """Whether and where each passage answers; a span's places are characters of the passage as it came."""
        ...

    async def entail(self, pairs: Sequence[Pair], priority: Priority = "query") -> ReadingResult[PairReading]:
        """Whether each premise, a pair's first text, supports the sentence, its second."""
        ...


@runtime_checkable
class FeatureReading(Protocol):
    """A reading engine whose chances others can correct."""

    def has_features(self) -> bool:
        """Whether its model gives any; known once it is loaded."""
        ...

    async def read_features(self, question: str, passages: Sequence[str], priority: Priority) -> FeatureResult:
        """As `ReadingEngine.read`, with the features of each passage."""
        ...


class FeatureEngine(Engine, FeatureReading, Protocol):
    """An engine of which nothing but that is asked."""


@runtime_checkable
class ClassificationEngine(Engine, Protocol):
    """Says which of its own labels texts have. A text's scores do not depend on the texts beside it."""

    def labels(self) -> tuple[str, ...]:
        """All that it chooses from; known once it is loaded."""
        ...

    def embedding_model(self) -> str | None:
        """The model whose vectors it reads, known once it is loaded; None where it reads none."""
        ...

    async def classify(self, texts: Sequence[str]) -> ClassificationResult:
        """Scores of each text, cut to what it reads."""
        ...

    async def parts(self, text: str) -> list[str]:
        """Parts of a text, in its order, each of which it reads whole; together they are all of it."""
        ...


class Encoder(Protocol):
    """The computing half of an in-process embedding engine. Plain functions, called from one thread at a time."""

    def open(self) -> None:
        """Load the model; may take long."""
        ...

    def close(self) -> None:
        """Free it; a batch that is under way ends. It may be opened again."""
        ...

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones included, however long it is. Called from any thread."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Normalised float32 rows; each text is read up to the model's limit."""
        ...

    def tokenizer(self) -> bytes:
        """The model's `tokenizer.json`, without truncation and padding."""
        ...

    def prefixes(self) -> Prefixes:
        """Those that the model's own files name."""
        ...
