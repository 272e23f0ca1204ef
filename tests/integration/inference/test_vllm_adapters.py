"""What a tuning job has learnt is loaded into a running vLLM, here one that only keeps the books of a real one;
`tests/vllm` has the real one do it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from services.lab.tests.training import tiny
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from tests.support.inference.on_vllm import NAME, ask, called, entry, publish
from tests.support.inference.running import EMBEDDING, running_inference, serving

from inference.declarations import service
from inference.tuned.peft import write_peft
from lab.training.adapter_file import write_adapter
from lab.training.header import read_header
from lab.training.lora import LoraLinear, add_lora
from lab.training.weights import load_model

WORDS = {"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}], "usage": {}}


class Vllm:
    """Adapters by name, with their folders, as vLLM 0.32 keeps them; `start` forgets them."""

    def __init__(self) -> None:
        self.adapters: dict[str, str] = {}
        self.asked: list[str] = []
        self.takes_adapters, self.sees_folders = True, True
        self.may_load = asyncio.Event()
        self.may_load.set()
        self.app = Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/load_lora_adapter", self._load, methods=["POST"]),
                Route("/v1/unload_lora_adapter", self._unload, methods=["POST"]),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
            ]
        )

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"data": [{"id": name} for name in ("smollm2", *self.adapters)]})

    async def _load(self, request: Request) -> Response:
        if not self.takes_adapters:
            return JSONResponse({"detail": "Not Found"}, status_code=404)
        body = await request.json()
        await self.may_load.wait()
        if not self.sees_folders or not (Path(body["lora_path"]) / "adapter_config.json").is_file():
            return _refusal(404, f"No adapter found for {body['lora_path']}")
        if body["lora_name"] in self.adapters:
            return _refusal(400, f"The lora adapter '{body['lora_name']}' has already been loaded.")
        self.adapters[body["lora_name"]] = body["lora_path"]
        return PlainTextResponse("Success")

    async def _unload(self, request: Request) -> Response:
        known = self.adapters.pop((await request.json())["lora_name"], None)
        return PlainTextResponse("Success") if known else _refusal(404, "It cannot be found.")

    async def _chat(self, request: Request) -> Response:
        name = (await request.json())["model"]
        if name not in ("smollm2", *self.adapters):
            return _refusal(404, f"The model `{name}` does not exist.")
        self.asked.append(name)
        return JSONResponse({"id": "x", "model": name, **WORDS})


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "x", "code": status}}, status_code=status)


@pytest.fixture
def vllm() -> Vllm:
    return Vllm()


@pytest.fixture
async def url(vllm: Vllm) -> AsyncIterator[str]:
    async with serving(vllm.app) as address:
        yield address


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "weights.gguf"
    tiny.write_weights(file, tiny.write_tokenizer(tmp_path / "tokenizer.json"))
    return file


def learnt(weights: Path) -> tuple[Path, dict[str, LoraLinear]]:
    """An adapter as the trainer writes it, and its matrices as the trainer has them."""
    header = read_header(weights)
    lora = add_lora(load_model(weights, header).model, 4, 8.0, 1)
    for one in lora.values():
        torch.nn.init.normal_(one.b)
    write_adapter(weights.parent / "adapter.gguf", lora, 8.0, header.heads, header.key_value_heads)
    return weights.parent / "adapter.gguf", lora


def models(url: str, weights: Path) -> list[dict[str, Any]]:
    return [entry(url, weights, weights.with_name("tokenizer.json")), EMBEDDING]


def settings(url: str, folder: Path) -> dict[str, Any]:
    host = url.removeprefix("http://")
    return {"added_hosts": host, "data_dir": folder / "data", "vllm_adapters_dir": folder / "shared"}


def folders(folder: Path) -> list[str]:
    return sorted(each.name for each in (folder / "shared").iterdir())


def test_an_adapter_in_pefts_form_has_the_matrices_that_were_learnt(tmp_path: Path, weights: Path) -> None:
    adapter, lora = learnt(weights)
    write_peft(adapter, tmp_path / "peft")
    found = load_file(tmp_path / "peft" / "adapter_model.safetensors")
    assert len(found) == 2 * len(lora)
    for name, module in lora.items():
        for which, wanted in (("A", module.a), ("B", module.b)):
            key = f"base_model.model.model.{name}.lora_{which}.weight"
            np.testing.assert_array_equal(found[key], wanted.detach().numpy())
    config = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["peft_type"]) == (4, 8.0, "LORA")
    assert set(config["target_modules"]) == {name.rpartition(".")[2] for name in lora}


async def test_what_was_learnt_is_asked_by_its_name_and_there_again_after_vllm_was_started_anew(
    tmp_path: Path, vllm: Vllm, url: str, weights: Path
) -> None:
    async with running_inference(tmp_path, models(url, weights), **settings(url, tmp_path)) as inference:
        status, model = await publish(inference, weights, learnt(weights)[0])
        assert (status, model["id"], model["state"]) == (200, NAME, "ready"), model
        assert (await ask(inference, NAME, "Hi"))[0] == 200
        (adapter,) = vllm.adapters
        assert vllm.asked[-1] == adapter
        vllm.adapters.clear()
        assert (await ask(inference, NAME, "Hi"))[0] == 200
        vllm.adapters.clear()
        await inference.dependencies.models.declared(NAME).probe()
        assert list(vllm.adapters) == [adapter]
        assert (await ask(inference, "base", "Hi"))[0] == 200
        assert vllm.asked[-1] == "smollm2"


async def test_an_inference_that_was_started_anew_has_it_loaded_and_a_removed_model_is_gone_from_vllm_and_its_folder(
    tmp_path: Path, vllm: Vllm, url: str, weights: Path
) -> None:
    async with running_inference(tmp_path, models(url, weights), **settings(url, tmp_path)) as inference:
        status, told = await publish(inference, weights, learnt(weights)[0])
        assert status == 200, told
    assert len(vllm.adapters) == 1, "an inference that ends leaves it to the others"
    vllm.adapters.clear()
    async with running_inference(tmp_path, models(url, weights), **settings(url, tmp_path)) as inference:
        status, told = await ask(inference, NAME, "Hi")
        assert status == 200, told
        assert len(vllm.adapters) == len(folders(tmp_path)) == 1
        status, told = await called(inference, "DELETE", f"/v1/tuned-models/{NAME}")
        assert status == 204, told
        assert (await ask(inference, NAME, "Hi"))[0] == 404
    assert (vllm.adapters, folders(tmp_path)) == ({}, [])


async def test_a_new_version_takes_the_place_of_the_old_one_once_vllm_has_loaded_it(
    tmp_path: Path, vllm: Vllm, url: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_inference(tmp_path, models(url, weights), **settings(url, tmp_path)) as inference:
        status, model = await publish(inference, weights, learnt(weights)[0])
        assert (status, model["state"]) == (200, "ready"), model
        (old,) = vllm.adapters
        vllm.may_load.clear()
        monkeypatch.setattr(service, "LOAD_SECONDS", 0.1)
        status, model = await publish(inference, weights, learnt(weights)[0], "ftjob_2")
        assert (status, model["state"]) == (200, "loading"), model
        assert (await ask(inference, NAME, "Hi"))[0] == 200
        assert vllm.asked[-1] == old
        vllm.may_load.set()
        async with asyncio.timeout(60):
            while vllm.asked[-1] == old:
                assert (await ask(inference, NAME, "Hi"))[0] == 200


@pytest.mark.parametrize(
    ("lack", "words"), [("takes_adapters", "vllm.lora"), ("sees_folders", "INFERENCE_VLLM_ADAPTERS_DIR")]
)
async def test_a_vllm_that_does_not_load_it_is_said_with_what_to_do_and_nothing_is_published(
    tmp_path: Path, vllm: Vllm, url: str, weights: Path, lack: str, words: str
) -> None:
    setattr(vllm, lack, False)
    async with running_inference(tmp_path, models(url, weights), **settings(url, tmp_path)) as inference:
        status, model = await publish(inference, weights, learnt(weights)[0])
        assert (status, model["state"]) == (200, "failed"), model
        assert words in model["reason"]
        assert (await ask(inference, NAME, "Hi"))[0] == 404
        assert (await ask(inference, "base", "Hi"))[0] == 200
