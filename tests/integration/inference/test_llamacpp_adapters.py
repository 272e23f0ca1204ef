"""LoRA adapters in GGUF on the packaged chat model: applied by their scale, and refused where they don't fit."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from tests.integration.inference.test_llamacpp import SMOLLM2
from tests.support.inference.packaged import packaged_gguf
from tests.support.inference.running import Inference, running_inference

from inference.errors import FileInvalid

pytestmark = pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp has no wheel here")
ADAPTED = "blk.0.ffn_down.weight"
ASKED = [{"role": "user", "content": "What is the capital of France?"}]


def rank_one(file: Path, *, architecture: str = "llama", seed: int = 7) -> Path:
    """An adapter of rank 1 for one tensor of the packaged model, with random weights."""
    (tensor,) = (each for each in GGUFReader(packaged_gguf()).tensors if each.name == ADAPTED)
    inputs, outputs = (int(size) for size in tensor.shape)
    random = np.random.default_rng(seed)
    writer = GGUFWriter(file, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 1.0)
    writer.add_tensor(f"{ADAPTED}.lora_a", random.standard_normal((1, inputs)).astype(np.float32))
    writer.add_tensor(f"{ADAPTED}.lora_b", random.standard_normal((outputs, 1)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def model(name: str, *adapters: tuple[Path, float], **more: Any) -> dict[str, Any]:
    declared = [{"source": {"path": str(file)}, "scale": scale} for file, scale in adapters]
    options = {"threads": 1, **({"adapters": declared} if declared else {})}
    return SMOLLM2 | {"name": name, "llamacpp": options, "queue": {"at_once": 1}, "default": name == "plain", **more}


async def answer(served: Inference, name: str) -> str:
    body = {"model": name, "messages": ASKED, "max_tokens": 12, "temperature": 0}
    async with served.post("/v1/chat/completions", body) as told:
        assert told.status == 200, await told.text()
        return str((await told.json())["choices"][0]["message"]["content"])


async def test_an_adapter_changes_answers_by_its_scale_and_the_model_without_it_stays(tmp_path: Path) -> None:
    adapter = rank_one(tmp_path / "adapter.gguf")
    models = [model("plain"), model("adapted", (adapter, 1.0)), model("off", (adapter, 0.0))]
    async with running_inference(tmp_path, models) as served:
        await served.dependencies.models.loaded()
        told = {each["name"]: await answer(served, each["name"]) for each in models}
    assert told["off"] == told["plain"]
    assert told["adapted"] != told["plain"]


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
async def test_what_is_no_adapter_of_this_model_is_refused_with_its_reason(tmp_path: Path, architecture: str) -> None:
    """An adapter of another architecture, and a whole model in place of one."""
    foreign = packaged_gguf() if architecture == "llama" else rank_one(tmp_path / "a.gguf", architecture=architecture)
    models = [model("plain"), model("adapted", (foreign, 1.0))]
    async with running_inference(tmp_path, models) as served:
        await served.dependencies.models.loaded()
        async with served.post("/v1/chat/completions", {"model": "adapted", "messages": ASKED}) as told:
            error = (await told.json())["error"]
        assert (told.status, error["code"]) == (503, FileInvalid.code)
        assert "an adapter does not fit SmolLM2-135M-Instruct.Q4_1.gguf" in error["message"]
        assert await answer(served, "plain")
