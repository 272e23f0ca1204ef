"""The retriever's rerankers: the shipped fake, and inference over HTTP; what inference does when a search gives up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from tests.support.inference.running import CHAT, EMBEDDING, RERANK, Inference, running_inference
from tests.support.retriever.reranker_conformance import TEXTS, RerankerConformance
from tests.support.retriever.service import served

from contracts.models.catalog import RerankReply
from retriever.models.inference import InferenceReranker
from retriever.models.protocol import Reranker
from retriever.search.rerank import UNKNOWN
from retriever.testing.lexical_reranker import LexicalReranker
from servicekit.core.errors import ServiceError
from servicekit.peers.client import Peer, open_session

PATIENCE_SECONDS = 60.0


def _reranker(inference: Inference) -> InferenceReranker:
    return InferenceReranker(Peer("inference", inference.url, inference.session), 10)


class TestLexical(RerankerConformance):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return LexicalReranker()

    @pytest.fixture
    def token(self) -> str:
        return ""


class TestInference(RerankerConformance):
    @pytest.fixture
    async def inference(self, tmp_path: Path) -> AsyncIterator[Inference]:
        async with running_inference(tmp_path, [CHAT, EMBEDDING, RERANK]) as running:
            yield running

    @pytest.fixture
    def reranker(self, inference: Inference) -> Reranker:
        return _reranker(inference)

    @pytest.fixture
    def token(self, inference: Inference) -> str:
        return inference.token


async def test_without_a_rerank_model_the_error_says_so(tmp_path: Path) -> None:
    async with running_inference(tmp_path, [EMBEDDING]) as inference:
        with pytest.raises(ServiceError) as missing:
            await _reranker(inference).relevance("default", "red car", TEXTS, inference.token)
    assert (missing.value.http_status, missing.value.code) == (404, "no_reranker")
    assert missing.value.code in UNKNOWN


async def test_the_error_says_that_a_rerank_model_does_not_exist(tmp_path: Path) -> None:
    async with running_inference(tmp_path, [EMBEDDING, RERANK]) as inference:
        with pytest.raises(ServiceError) as missing:
            await _reranker(inference).relevance("reader+gone", "red car", TEXTS, inference.token)
    assert (missing.value.http_status, missing.value.code) == (404, "model_not_found")
    assert missing.value.code in UNKNOWN


@pytest.mark.parametrize(
    "results",
    [
        [],
        [{"index": 0, "relevance_score": 1.0}],
        [{"index": 0, "relevance_score": 1.0}, {"index": 0, "relevance_score": 0.5}],
        [{"index": 0, "relevance_score": 1.0}, {"index": 2, "relevance_score": 0.5}],
        [{"index": 0, "relevance_score": 1.0}, {"index": 1, "relevance_score": float("inf")}],
    ],
    ids=["none", "too-few", "twice", "beyond", "infinite"],
)
async def test_an_answer_without_a_usable_score_for_each_text_is_an_error(results: list[Any]) -> None:
    app = FastAPI()

    @app.post("/v1/rerank")
    async def rerank(request: Request) -> Any:
        await request.body()
        return RerankReply.model_construct(model="m", results=results)

    with served(app) as url:
        async with open_session() as session:
            reranker = InferenceReranker(Peer("inference", url, session), 10)
            with pytest.raises(ServiceError) as wrong:
                await reranker.relevance("default", "red car", ["one", "two"], "token")
    assert wrong.value.http_status == 502


async def test_a_call_that_is_left_closes_its_connection() -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            arrived.set()
        left.set()
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server, open_session() as session:
        port = server.sockets[0].getsockname()[1]
        reranker = InferenceReranker(Peer("inference", f"http://127.0.0.1:{port}", session), PATIENCE_SECONDS)
        call = asyncio.create_task(reranker.relevance("default", "red car", TEXTS, "token"))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await arrived.wait()
            call.cancel()
            await left.wait()
        with pytest.raises(asyncio.CancelledError):
            await call
