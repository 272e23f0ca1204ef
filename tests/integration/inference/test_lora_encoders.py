"""Embedding models by LoRA, each with an encoder of its own: few are loaded at once, and all answer."""

from __future__ import annotations

import base64
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from tests.integration.inference.test_sentence_folders import LIMIT, USUAL, folder_with
from tests.support.inference.running import CHAT, settings_for

from inference.bootstrap import open_dependencies
from inference.protocol.engines import Vectors
from inference.serving.models import ServedModels

LAYER = "encoder.layer.0.attention.self.query"


def base(folder: Path) -> dict[str, Any]:
    return {
        "name": "small",
        "kind": "embedding",
        "engine": "sentence-transformers",
        "source": {"path": str(folder)},
        "dimensions": 32,
        "max_input_tokens": LIMIT,
        "default": True,
    }


def learnt(name: str, digest: str, seed: int) -> dict[str, Any]:
    numbers = np.random.default_rng(seed).normal(size=(2, 32)).astype("<f2")
    down, up = (base64.b64encode(each.tobytes()).decode() for each in numbers)
    lora = {
        "embedding_model": "small",
        "embedding_digest": digest,
        "dimensions": 32,
        "rank": 1,
        "matrices": {LAYER: {"down": down, "up": up}},
    }
    common = {"kind": "embedding", "dimensions": 32, "max_input_tokens": 16}
    return {"name": name, "engine": "lora", "source": {"lora": lora}, **common}


async def asked(models: ServedModels, name: str) -> Vectors:
    return (await models.embedding(name).ready().embed(["How long is the notice period?"], "query")).vectors


def encoder_of(models: ServedModels, name: str) -> Any:
    """Of one that is loaded, without keeping it in memory."""
    return weakref.ref(models.embedding(name).ready()._inner._inner._encoder._model.module)  # type: ignore[attr-defined]


async def test_the_first_of_three_is_let_go_and_has_the_same_vectors_when_it_is_asked_again(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", USUAL[0])
    async with open_dependencies(settings_for(tmp_path, [CHAT, base(folder)])) as opened:
        await opened.models.loaded()
        await opened.models.embedding("small").identify()
        digest = opened.models.embedding("small").version.digest
    assert digest is not None
    names = ["first", "second", "third"]
    declared = [learnt(name, digest, seed) for seed, name in enumerate(names)]
    settings = settings_for(tmp_path, [CHAT, base(folder), *declared], precision="float32", lora_encoders_at_once=2)
    async with open_dependencies(settings) as opened:
        await opened.models.loaded()
        await opened.models.embedding("small").identify()
        given, encoders, counts = {}, [], []
        for name in [*names, "first"]:
            vectors = await asked(opened.models, name)
            np.testing.assert_array_equal(vectors, given.setdefault(name, vectors))
            encoders.append(encoder_of(opened.models, name))
            counts.append(sum(each() is not None for each in encoders))
        assert counts == [1, 2, 2, 2], "memory is freed, not only forgotten"
        assert [each() is None for each in encoders] == [True, True, False, False]
        base_vectors = await asked(opened.models, "small")
        for one, other in (("first", "second"), ("second", "third"), ("first", "third")):
            assert np.sum(given[one] * given[other]) < 0.999
        assert np.sum(given["first"] * base_vectors) < 0.999
        for name in names:
            await opened.models.embedding(name).probe()
