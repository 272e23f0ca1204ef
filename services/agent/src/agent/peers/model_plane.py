"""Search and models over HTTP: the gateway's model plane, where everything that costs is charged."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import structlog
from pydantic import ValidationError

from agent.ports import Embedded, ModelAnswer, Vector
from contracts.core.errors import ErrorEnvelope
from contracts.models.catalog import EmbeddingReply, EmbeddingRequest, InputType, ModelInfo, ModelList
from contracts.models.chat import STREAM_END, ChatCompletionChunk, ChatRequest
from contracts.models.versions import ModelVersion
from contracts.retrieval.search import SearchReply, SearchRequest
from servicekit.core.errors import PeerError, UpstreamFailed
from servicekit.peers.client import Peer, PeerMalformed
from servicekit.streams.sse import MalformedStream, decode

log = structlog.get_logger(__name__)
UPSTREAM_STATUS, BLOCKED_STATUS = 502, 400
"""Of an error in a stream whose head has gone out: the upstream's, or a guardrail's no, which no other try helps."""


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

    async def embed(
        self, texts: Sequence[str], token: str, model: str | None = None, kind: InputType | None = None
    ) -> Embedded:
        """`POST /v1/embeddings`, all texts in one call."""
        request = EmbeddingRequest(
            model=model or self._embedding_model,
            input=list(texts),
            encoding_format="base64",
            priority="query",
            input_type=kind,
        )
        reply = await self._peer.call("POST", "/v1/embeddings", EmbeddingReply, token=token, body=request)
        if len(reply.data) != len(texts):
            raise PeerMalformed(self._peer.name)
        ordered = sorted(reply.data, key=lambda item: item.index)
        return Embedded([_vector(item.embedding) for item in ordered], reply.usage.prompt_tokens)

    @asynccontextmanager
    async def chat(self, request: ChatRequest, token: str) -> AsyncIterator[ModelAnswer]:
        """`POST /v1/chat/completions`, streamed."""
        async with self._peer.stream("POST", "/v1/chat/completions", token=token, body=request) as stream:
            yield ModelAnswer(self._chunks(stream.pieces()), ModelVersion.of(stream.headers))

    async def probe(self) -> None:
        """Whether the gateway's model plane is ready."""
        await self._peer.probe()

    async def _chunks(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[ChatCompletionChunk]:
        try:
            async for event in decode(pieces):
                if event.event == "error":
                    error = ErrorEnvelope.model_validate_json(event.data).error
                    raise PeerError(BLOCKED_STATUS if error.type == "content_blocked" else UPSTREAM_STATUS, error)
                if event.data == STREAM_END:
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
