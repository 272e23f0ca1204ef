"""What answers and agents need of the world: a search, models, documents, fresh tokens, a notifier."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from collections.abc import Collection as AnyOf
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.access.delegation import Scope, Spent
from contracts.agents.runs import Run, RunSource
from contracts.documents.documents import DocumentChunk
from contracts.models.catalog import InputType, ModelInfo
from contracts.models.chat import ChatCompletionChunk, ChatRequest
from contracts.models.reading import Languages, ReadingReply, ReadingRequest
from contracts.models.versions import ModelVersion
from contracts.retrieval.collections import Collection
from contracts.retrieval.search import SearchReply, SearchRequest

Vector = NDArray[np.float32]
ReadPart = Literal["passages", "pairs"]
"""What a reading model is asked about."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors in the order of the texts, and the tokens that were read for them."""

    vectors: list[Vector]
    tokens: int


class ModelAnswer:
    """The pieces of a model's answer while it is made, and which model it is that makes it."""

    def __init__(self, chunks: AsyncIterator[ChatCompletionChunk], version: ModelVersion = ModelVersion()) -> None:  # noqa: B008  # frozen
        self._chunks = chunks
        self.version = version

    def __aiter__(self) -> ModelAnswer:
        return self

    async def __anext__(self) -> ChatCompletionChunk:
        return await anext(self._chunks)


class Search(Protocol):
    """Finds chunks. Errors are `ServiceError`s whose words are meant for the caller."""

    async def search(self, request: SearchRequest, token: str) -> SearchReply:
        """The hits for one query, for the caller whose token this is, who is charged for it."""
        ...


class Library(Protocol):
    """What there is to read. Errors are `ServiceError`s."""

    async def collections(self, token: str) -> list[str]:
        """The names of the collections that the caller may use."""
        ...

    async def collection(self, name: str, token: str) -> Collection:
        """What one collection holds; a 404 if there is none."""
        ...

    async def chunks(self, collection: str, document_id: str, token: str) -> list[DocumentChunk]:
        """A document's text in its chunks, in order; a 404 if there is none."""
        ...

    async def probe(self) -> None:
        """Raise unless documents can be searched and read now."""
        ...


class Models(Protocol):
    """Words answers and compares texts. Errors are `ServiceError`s."""

    async def model(self, name: str | None, token: str) -> ModelInfo | None:
        """Facts about a chat model (None: the default one), or None if there is no such model."""
        ...

    async def embed(
        self, texts: Sequence[str], token: str, model: str | None = None, kind: InputType | None = None
    ) -> Embedded:
        """One vector for each text, by the model of this name or else the one that compares texts; `kind` says what
        they are to a model that reads questions otherwise than what may answer them."""
        ...

    def chat(self, request: ChatRequest, token: str) -> AbstractAsyncContextManager[ModelAnswer]:
        """The model's answer while it is made; leaving the context early ends the model's work."""
        ...

    async def probe(self) -> None:
        """Raise unless models can be called now."""
        ...


class Reader(Protocol):
    """Reads for an answer: a question's passages, or pairs of texts. Errors are `ServiceError`s."""

    def may_read(self, part: ReadPart) -> bool:
        """Whether something may read these, as far as is known."""
        ...

    @property
    def languages(self) -> Languages | None:
        """What it reads well, as far as is known."""
        ...

    @property
    def alone(self) -> bool:
        """Whether what it said last counts without the say of rules."""
        ...

    def named(self, model: str) -> Reader:
        """The same by another model than the default one."""
        ...

    async def read(self, request: ReadingRequest, token: str) -> ReadingReply | None:
        """A reading for each passage and each pair, in their order, charged to the caller whose token this is.

        None where no reading model is configured, or the one that is can't tell what is asked.
        """
        ...


class TokenSource(Protocol):
    """Exchanges a run's grant for a token that is valid for a while."""

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        """A token, with `fresh` surely a new one; raises a 403 `key_revoked` once the key is.

        What is called with it is charged under `call_id`.
        """
        ...

    async def spent(self, grant: str, call_id: str) -> Spent:
        """What the calls under one id have used, as the ledger has it, once none of them is open."""
        ...

    async def record(self, grant: str, run: Run, sources: Sequence[RunSource]) -> None:
        """Have a run that has ended put on record, with what it found and read."""
        ...

    async def scopes(self, grant: str, *, call_id: str | None = None) -> AnyOf[Scope] | None:
        """What the key may do by that token; None if nobody says."""
        ...
