"""Embeddings and rerank through the inference service."""

from __future__ import annotations

import math
from collections.abc import Sequence

import structlog

from contracts.models.catalog import (
    Embedding,
    EmbeddingReply,
    EmbeddingRequest,
    ModelInfo,
    ModelList,
    RerankReply,
    RerankRequest,
)
from retriever.errors import EmbeddingModelUnknown
from retriever.models.protocol import EmbeddingModel, Embeddings, Priority, Relevance
from retriever.models.vector_codec import from_base64
from servicekit.core.errors import UpstreamFailed
from servicekit.peers.client import Peer

log = structlog.get_logger(__name__)


class InferenceEmbedder:
    """`Embedder` on inference's API. It never retries; the caller's token goes along.

    What is embedded in bulk goes by the gateway's model plane, which has the same API: it asks the budgets of the key
    before, and charges it exactly. A query's caller is charged by whoever asked the search.
    """

    def __init__(self, peer: Peer, plane: Peer, bulk_seconds: float, query_seconds: float) -> None:
        self._peer = peer
        self._peers = {"bulk": plane, "query": peer}
        self._seconds = {"bulk": bulk_seconds, "query": query_seconds}

    async def get_model(self, name: str, token: str) -> EmbeddingModel:
        """The model that `name` means; raises `EmbeddingModelUnknown`."""
        known = await self._listed(token)
        chosen = next((model for model in known if _is_meant(model, name)), None)
        if chosen is None:
            raise EmbeddingModelUnknown(name, [model.id for model in known])
        return _sized(chosen)

    async def list_models(self, token: str) -> list[EmbeddingModel]:
        """The embedding models in the order in which inference names them."""
        return [_sized(model) for model in await self._listed(token)]

    async def _listed(self, token: str) -> list[ModelInfo]:
        listed = await self._peer.call("GET", "/v1/models", ModelList, token=token)
        return [model for model in listed.data if model.kind == "embedding"]

    async def embed(self, model: str, texts: Sequence[str], priority: Priority, token: str) -> Embeddings:
        """One vector a text; base64 on the wire, a quarter of the digits' size."""
        reply = await self._peers[priority].call(
            "POST",
            "/v1/embeddings",
            EmbeddingReply,
            token=token,
            body=EmbeddingRequest(model=model, input=list(texts), encoding_format="base64", priority=priority),
            timeout_seconds=self._seconds[priority],
        )
        vectors = [_floats(embedding) for embedding in sorted(reply.data, key=lambda each: each.index)]
        if len(vectors) != len(texts):
            raise UpstreamFailed(f"Inference answered {len(texts)} texts with {len(vectors)} vectors.")
        return Embeddings(vectors, reply.usage.total_tokens, reply.usage.truncated)

    async def probe(self) -> None:
        """Raise unless inference is ready."""
        await self._peer.probe()


class InferenceReranker:
    """`Reranker` on inference's rerank models. Leaving a call closes its connection, and inference stops."""

    def __init__(self, peer: Peer, seconds: float) -> None:
        self._peer = peer
        self._seconds = seconds

    async def relevance(self, model: str, query: str, texts: Sequence[str], token: str) -> Relevance:
        """A score a text; raises inference's error, 404 `no_reranker` where none is configured."""
        body = RerankRequest(model=model, query=query, documents=list(texts))
        reply = await self._peer.call(
            "POST", "/v1/rerank", RerankReply, token=token, body=body, timeout_seconds=self._seconds
        )
        scores = {result.index: result.relevance_score for result in reply.results}
        if set(scores) != set(range(len(texts))) or not all(math.isfinite(score) for score in scores.values()):
            raise UpstreamFailed(f"Inference ranked {len(texts)} texts without a usable score for each.")
        tokens = reply.usage.get("total_tokens")
        return Relevance([scores[at] for at in range(len(texts))], tokens if isinstance(tokens, int) else 0)


def _sized(model: ModelInfo) -> EmbeddingModel:
    if not model.dimensions or not model.context_length:
        log.warning("model without sizes", model=model.id)
        raise UpstreamFailed(f"Inference does not say how long the vectors and inputs of '{model.id}' are.")
    sizes, failed = (model.dimensions, model.context_length), model.state == "failed"
    return EmbeddingModel(
        model.id,
        *sizes,
        model.languages,
        is_default=model.default,
        unrelated_cosine=model.unrelated_cosine,
        is_failed=failed,
        below=model.embedding_model,
    )


def _is_meant(model: ModelInfo, name: str) -> bool:
    return model.default if name == "default" else model.id == name


def _floats(embedding: Embedding) -> list[float]:
    if isinstance(embedding.embedding, list):
        return embedding.embedding
    return from_base64(embedding.embedding)
