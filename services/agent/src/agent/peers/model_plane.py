"""Documents, search and models over HTTP: the retriever, and the gateway's model plane, where everything that costs is
charged."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import structlog
from pydantic import ValidationError

from agent.ports import Embedded, Vector
from contracts.chat import ChatCompletionChunk, ChatRequest
from contracts.collections import Collection
from contracts.documents import DocumentChunk
from contracts.errors import ErrorEnvelope
from contracts.models import EmbeddingReply, EmbeddingRequest, ModelInfo, ModelList
from contracts.pages import Item, Page
from contracts.search import SearchReply, SearchRequest
from servicekit.core.errors import PeerError, UpstreamFailed
from servicekit.peers.client import Peer, PeerMalformed
from servicekit.streams.sse import MalformedStream, decode

log = structlog.get_logger(__name__)
UPSTREAM_STATUS, BLOCKED_STATUS = 502, 400
"""Of an error in a stream whose head has gone out: the upstream's, or a guardrail's no, which no other try helps."""
MAX_PAGES = 50
"""Of 200 things, that one list is read by."""


class PlaneSearch:
    """`Search` by the gateway's model plane, which applies limits and cost and asks the retriever."""

    def __init__(self, peer: Peer, timeout_seconds: float) -> None:
        self._peer = peer
        self._timeout = timeout_seconds

    async def search(self, request: SearchRequest, token: str) -> SearchReply:
        """`POST /v1/search`."""
        return await self._peer.call(
            "POST", "/v1/search", SearchReply, token=token, body=request, timeout_seconds=self._timeout
        )


class RetrieverLibrary:
    """`Library` by the retriever service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def collections(self, token: str) -> list[str]:
        """`GET /v1/collections`, page by page."""
        found = await self._pages("/v1/collections", Page[Collection], token)
        return [collection.name for collection in found]

    async def chunks(self, collection: str, document_id: str, token: str) -> list[DocumentChunk]:
        """`GET …/documents/{id}/chunks`, page by page."""
        path = f"/v1/collections/{collection}/documents/{document_id}/chunks"
        return await self._pages(path, Page[DocumentChunk], token)

    async def probe(self) -> None:
        """Whether the retriever is ready."""
        await self._peer.probe()

    async def _pages(self, path: str, page: type[Page[Item]], token: str) -> list[Item]:
        found: list[Item] = []
        params = {"limit": "200"}
        for _ in range(MAX_PAGES):
            read = await self._peer.call("GET", path, page, token=token, params=params)
            found.extend(read.data)
            if read.next_cursor is None:
                break
            params["cursor"] = read.next_cursor
        return found


class ModelPlane:
    """`Models` by the gateway's model plane, which applies limits, fallback and cost."""

    def __init__(self, peer: Peer, embedding_model: str) -> None:
        self._peer = peer
        self._embedding_model = embedding_model

    async def model(self, name: str | None, token: str) -> ModelInfo | None:
        """From `GET /v1/models`, which lists what the caller may use."""
        models = (await self._peer.call("GET", "/v1/models", ModelList, token=token)).data
        for model in models:
            if model.kind == "chat" and (model.default if name in (None, "default") else model.id == name):
                return model
        return None

    async def embed(self, texts: Sequence[str], token: str) -> Embedded:
        """`POST /v1/embeddings`, all texts in one call."""
        request = EmbeddingRequest(
            model=self._embedding_model, input=list(texts), encoding_format="base64", priority="query"
        )
        reply = await self._peer.call("POST", "/v1/embeddings", EmbeddingReply, token=token, body=request)
        if len(reply.data) != len(texts):
            raise PeerMalformed(self._peer.name)
        ordered = sorted(reply.data, key=lambda item: item.index)
        return Embedded([_vector(item.embedding) for item in ordered], reply.usage.prompt_tokens)

    @asynccontextmanager
    async def chat(self, request: ChatRequest, token: str) -> AsyncIterator[AsyncIterator[ChatCompletionChunk]]:
        """`POST /v1/chat/completions`, streamed."""
        async with self._peer.stream("POST", "/v1/chat/completions", token=token, body=request) as stream:
            yield self._chunks(stream.pieces())

    async def probe(self) -> None:
        """Whether the gateway's model plane is ready."""
        await self._peer.probe()

    async def _chunks(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[ChatCompletionChunk]:
        try:
            async for event in decode(pieces):
                if event.event == "error":
                    error = ErrorEnvelope.model_validate_json(event.data).error
                    raise PeerError(BLOCKED_STATUS if error.type == "content_blocked" else UPSTREAM_STATUS, error)
                if event.data == "[DONE]":
                    return
                yield ChatCompletionChunk.model_validate_json(event.data)
        except (ValidationError, MalformedStream) as error:
            log.warning("malformed stream", peer=self._peer.name, error=str(error)[:300])
            raise PeerMalformed(self._peer.name) from None
        raise UpstreamFailed("The model's answer ended before it was complete.")


def _vector(embedding: list[float] | str) -> Vector:
    if isinstance(embedding, list):
        return np.asarray(embedding, dtype=np.float32)
    return np.frombuffer(base64.b64decode(embedding), dtype="<f4").astype(np.float32, copy=False)
