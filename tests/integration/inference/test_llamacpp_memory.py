"""Models of llama.cpp that are not all awake at once, since their memory is bounded."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from tests.integration.inference.test_llamacpp import SMOLLM2
from tests.integration.inference.test_llamacpp_process import STORY, llama_processes, until
from tests.support.inference.running import Inference, running_inference

from inference.engines.llamacpp import memory_pool
from inference.engines.llamacpp.chat import LlamaChat
from inference.errors import ModelTooLarge

pytestmark = pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp has no wheel here")
NAMES = ("first", "second", "third")
MODELS = [
    SMOLLM2 | {"name": name, "default": name == "first", "llamacpp": {"threads": 1, "idle_seconds": 3600}}
    for name in NAMES
]


def engine(inference: Inference, name: str) -> LlamaChat:
    inner: Any = inference.dependencies.models.chat(name).ready()
    while not isinstance(inner, LlamaChat):
        inner = inner._inner
    return inner


def room_for(inference: Inference, models: float) -> None:
    """Pretend that the machine has memory for so many of them."""
    servers = [engine(inference, name) for name in NAMES]
    memory = round(models * servers[0]._needed)
    servers[0]._pool._available = lambda: memory - sum(one._server.private_bytes for one in servers)


async def ask(inference: Inference, name: str) -> tuple[int, dict[str, Any], str | None]:
    body = {"model": name, "messages": STORY, "max_tokens": 2}
    async with inference.post("/v1/chat/completions", body) as answer:
        return answer.status, await answer.json(), answer.headers.get("Retry-After")


def awake(inference: Inference) -> list[str]:
    return [name for name in NAMES if not engine(inference, name).is_asleep]


async def is_well(inference: Inference, asleep: int) -> None:
    """Ready, and so many of its models without a process."""
    async with inference.session.get(f"{inference.url}/readyz") as answer:
        assert answer.status == 200, await answer.text()
    shown = {"asleep": 0.0, "ready": 0.0}
    for gauge in shown:
        shown[gauge] = sum(
            [await inference.metric(f'groundwork_inference_{gauge}{{model="{name}"}}') for name in NAMES]
        )
    assert shown == {"asleep": asleep, "ready": len(NAMES)}
    assert len(llama_processes()) == len(NAMES) - asleep


async def test_the_least_recently_used_model_sleeps_for_one_that_is_asked_and_a_call_under_way_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_inference(tmp_path, MODELS, probe_seconds=600) as service:
        await service.dependencies.models.loaded()
        await is_well(service, asleep=0)
        for name in NAMES:
            assert (await ask(service, name))[0] == 200
        room_for(service, 2.5)
        await engine(service, "first")._server.fall_asleep()
        await until(lambda: engine(service, "first")._server.pid is None)
        assert (await ask(service, "first"))[0] == 200
        assert awake(service) == ["first", "third"]
        await is_well(service, asleep=1)

        room_for(service, 1.5)
        monkeypatch.setattr(memory_pool, "WAIT_SECONDS", 0.1)
        body = {"model": "first", "messages": STORY, "stream": True, "max_tokens": 200}
        async with service.post("/v1/chat/completions", body) as answer:
            text = (await answer.content.readany()).decode()
            async with engine(service, "first")._server.use():  # however quickly that stream is made
                status, told, wait = await ask(service, "second")
            assert (status, told["error"]["code"], wait) == (503, ModelTooLarge.code, "5")
            assert "Ask again once their calls have ended" in told["error"]["message"]
            text += (await answer.content.read()).decode()
        assert text.endswith("data: [DONE]\n\n")
        assert awake(service) == ["first", "third"], "none slept for a call that would have had no room even then"
        await is_well(service, asleep=1)
        assert (await ask(service, "second"))[0] == 200
        assert awake(service) == ["second"]

        monkeypatch.setattr(memory_pool, "WAIT_SECONDS", 60.0)
        answers = await asyncio.gather(*(ask(service, name) for name in NAMES))
        assert [status for status, _, _ in answers] == [200, 200, 200]
        assert len(awake(service)) == 1
        await is_well(service, asleep=2)
