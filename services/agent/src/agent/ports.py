"""What the answer graph needs of the world: a search, and models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.chat import ChatCompletionChunk, ChatRequest
from contracts.models import ModelInfo
from contracts.search import SearchReply, SearchRequest

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors in the order of the texts, and the tokens that were read for them."""

    vectors: list[Vector]
    tokens: int


class Search(Protocol):
    """Finds chunks. Errors are `ServiceError`s whose words are meant for the caller."""

    async def search(self, request: SearchRequest, token: str) -> SearchReply:
        """The hits for one query, for the caller whose token this is."""
        ...

    async def probe(self) -> None:
        """Raise unless search works now."""
        ...


class Models(Protocol):
    """Words answers and compares texts. Errors are `ServiceError`s."""

    async def model(self, name: str | None, token: str) -> ModelInfo | None:
        """Facts about a chat model (None: the default one), or None if there is no such model."""
        ...

    async def embed(self, texts: Sequence[str], token: str) -> Embedded:
        """One vector for each text."""
        ...

    def chat(self, request: ChatRequest, token: str) -> AbstractAsyncContextManager[AsyncIterator[ChatCompletionChunk]]:
        """The model's answer while it is made; leaving the context early ends the model's work."""
        ...

    async def probe(self) -> None:
        """Raise unless models can be called now."""
        ...
