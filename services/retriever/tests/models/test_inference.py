from __future__ import annotations

from typing import Any, cast

import pytest

from contracts.models.catalog import EmbeddingReply, ModelList, RerankReply
from retriever.errors import EmbeddingModelUnknown
from retriever.models.inference import InferenceEmbedder, InferenceReranker
from retriever.models.vector_codec import to_base64
from servicekit.core.errors import UpstreamFailed
from servicekit.peers.client import Peer

MINI = {"id": "mini", "created": 0, "kind": "embedding", "default": True, "dimensions": 2, "context_length": 256}


class FakePeer:
    """Answers each call with the same body, and keeps what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[tuple[str, Any]] = []

    async def call(self, method: str, path: str, _model: Any, *, body: Any = None, **_: Any) -> Any:
        self.calls.append((f"{method} {path}", body))
        return self.answer


def _embedder(answer: Any, plane: Any = None) -> tuple[InferenceEmbedder, FakePeer, FakePeer]:
    inference, gateway = FakePeer(answer), FakePeer(plane or answer)
    return InferenceEmbedder(cast("Peer", inference), cast("Peer", gateway), 120, 10), inference, gateway


def _reply(*rows: tuple[int, Any]) -> EmbeddingReply:
    data = [{"index": index, "embedding": value} for index, value in rows]
    return EmbeddingReply.model_validate(
        {"data": data, "model": "mini", "usage": {"prompt_tokens": 3, "total_tokens": 3, "truncated": 1}}
    )


async def test_default_means_the_default_embedding_model() -> None:
    embedder, *_ = _embedder(ModelList.model_validate({"data": [MINI, {**MINI, "id": "b", "default": False}]}))
    assert (await embedder.get_model("default", "token")).name == "mini"
    assert (await embedder.get_model("b", "token")).dimensions == 2
    with pytest.raises(EmbeddingModelUnknown, match="'mini', 'b'"):
        await embedder.get_model("c", "token")


async def test_a_model_without_sizes_is_inference_s_failure() -> None:
    embedder, *_ = _embedder(ModelList.model_validate({"data": [{**MINI, "dimensions": None}]}))
    with pytest.raises(UpstreamFailed):
        await embedder.get_model("mini", "token")


async def test_vectors_come_in_the_order_of_the_texts_and_bulk_goes_by_the_model_plane() -> None:
    embedder, inference, gateway = _embedder(_reply((1, to_base64([0.0, 1.0])), (0, [1.0, 0.0])))
    made = await embedder.embed("mini", ["a", "b"], "bulk", "token")
    assert (made.vectors, made.tokens, made.truncated) == ([[1.0, 0.0], [0.0, 1.0]], 3, 1)
    await embedder.embed("mini", ["a", "b"], "query", "token")
    assert [[body.priority for _, body in peer.calls] for peer in (gateway, inference)] == [["bulk"], ["query"]]
    with pytest.raises(UpstreamFailed, match="1 texts with 2 vectors"):
        await embedder.embed("mini", ["a"], "query", "token")


async def test_scores_come_in_the_order_of_the_texts_and_each_has_one() -> None:
    results = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
    reply = RerankReply.model_validate({"id": "r", "model": "m", "results": results, "usage": {"total_tokens": 5}})
    reranker = InferenceReranker(cast("Peer", FakePeer(reply)), 1.0)
    relevance = await reranker.relevance("default", "q", ["a", "b"], "token")
    assert (relevance.scores, relevance.tokens) == ([0.1, 0.9], 5)
    with pytest.raises(UpstreamFailed):
        await reranker.relevance("default", "q", ["a", "b", "c"], "token")
