"""The process of llama.cpp: killed under streams, left by a parent that is killed, given a file that it can't load."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from tests.integration.inference.test_llamacpp import SMOLLM2
from tests.support.inference.packaged import packaged_gguf
from tests.support.inference.running import CHAT, Inference, running_inference

from contracts.models.versions import ModelVersion
from inference.catalog.gguf_header import read_header
from inference.engines.llamacpp.chat import LlamaChat
from inference.engines.llamacpp.process import CHILD
from servicekit.auth.delegation import generate_key_pair

pytestmark = pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp has no wheel here")
DEADLINE_SECONDS = 240.0
STORY = [{"role": "user", "content": "Tell me a long story about a lighthouse and the sea."}]
OTHER = CHAT | {"default": False, "context_length": 4096}
KILLS = int(os.environ.get("KILLS", "3"))
STREAMS = 5
"""Beside each kill."""
IDLE_SECONDS = 3600
RESTARTS = 'groundwork_inference_engine_restarts_total{model="smollm2"}'


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Inference]:
    model = SMOLLM2 | {"queue": {"at_once": 4, "waiting": 16}}
    async with running_inference(tmp_path, [model, OTHER]) as service:
        yield service


def engine(inference: Inference) -> Any:
    """The engine behind what gives it tools and raw prompts."""
    inner: Any = inference.dependencies.models.chat("smollm2").ready()
    while not isinstance(inner, LlamaChat):
        inner = inner._inner
    return inner


async def until(true: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            is_true = true()
            if is_true if isinstance(is_true, bool) else await is_true:
                return
            await asyncio.sleep(0.02)


async def streamed(inference: Inference, begun: asyncio.Event | None = None, model: str = "smollm2") -> str:
    """All of a streamed answer, whatever its status."""
    body = {"model": model, "messages": STORY, "stream": True, "max_tokens": 400, "temperature": 0}
    async with inference.post("/v1/chat/completions", body) as answer:
        text: str = (await answer.content.readany()).decode()
        if begun is not None:
            begun.set()
        text += (await answer.content.read()).decode()
    return text


async def test_streams_of_a_killed_process_end_with_an_error_and_the_next_calls_are_answered(served: Inference) -> None:
    other = asyncio.create_task(streamed(served, model="talker"))
    for _ in range(KILLS):
        begun = asyncio.Event()
        streams = [asyncio.create_task(streamed(served, begun)) for _ in range(STREAMS)]
        async with asyncio.timeout(DEADLINE_SECONDS):
            await begun.wait()
        killed = engine(served).pid
        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE_SECONDS):
            ends = await asyncio.gather(*streams)
        assert any("event: error" in text and "upstream" in text for text in ends)
        for text in ends:  # those that had not begun wait for the next process
            assert text.endswith("data: [DONE]\n\n") or "event: error" in text or '"error"' in text
        async with served.post(
            "/v1/chat/completions", {"model": "smollm2", "messages": STORY, "max_tokens": 2}
        ) as answer:
            assert answer.status == 200
        assert engine(served).pid not in (None, killed)
    assert (await other).endswith("data: [DONE]\n\n")
    restarts = await served.metric(RESTARTS)
    assert restarts >= KILLS
    assert await served.metric("groundwork_inference_running") == 0


async def test_a_process_that_loaded_another_file_of_the_name_answers_as_another_model(tmp_path: Path) -> None:
    file, content = tmp_path / "m.gguf", packaged_gguf().read_bytes()
    file.write_bytes(content)
    async with running_inference(tmp_path, [SMOLLM2 | {"source": {"path": str(file)}}]) as service:
        model = service.dependencies.models.chat("smollm2")

        async def version() -> ModelVersion:
            body = {"model": "smollm2", "messages": STORY, "max_tokens": 1}
            async with service.post("/v1/chat/completions", body) as answer:
                return ModelVersion.of(answer.headers)

        async def known() -> bool:
            return (await version()).fingerprint is not None

        await until(known)
        first, killed = await version(), engine(service).pid
        (tmp_path / "new.gguf").write_bytes(content + b"\0" * 64)
        (tmp_path / "new.gguf").replace(file)
        assert await version() == first, "the process has the old one"
        os.kill(killed, signal.SIGKILL)
        await until(lambda: engine(service).pid not in (None, killed))
        assert (await version()).digest is None
        await model.probe()
        second = await version()
        assert None not in (second.digest, second.fingerprint)
        assert (second.digest, second.fingerprint) != (first.digest, first.fingerprint)


async def test_no_call_is_lost_when_a_connection_has_served_its_time(served: Inference) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    body = {"model": "smollm2", "messages": messages, "max_tokens": 1, "n": 6, "stream": True}
    for number in range(50):
        async with served.post("/v1/chat/completions", body) as answer:
            text = await answer.text()
        assert text.endswith("data: [DONE]\n\n"), f"call {number}: {text[-300:]}"


async def test_conversations_run_at_once(served: Inference) -> None:
    begun = [asyncio.Event() for _ in range(4)]
    streams = [asyncio.create_task(streamed(served, event)) for event in begun]
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*(event.wait() for event in begun))
    assert await served.metric('groundwork_inference_running{model="smollm2"}') > 1
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)

    async def is_idle() -> bool:
        return await served.metric('groundwork_inference_running{model="smollm2"}') == 0

    await until(is_idle)


async def test_nobody_without_the_key_is_let_in_and_it_can_be_read_nowhere(served: Inference) -> None:
    llama = engine(served)
    child = psutil.Process(llama.pid)
    assert llama._key not in " ".join(child.cmdline())
    assert llama._key not in str(child.environ())
    [listening] = [each for each in child.net_connections("inet") if each.status == psutil.CONN_LISTEN]
    assert listening.laddr.ip == "127.0.0.1"
    url = f"http://127.0.0.1:{listening.laddr.port}"
    for path in ("/v1/models", "/metrics", "/slots", "/props"):
        async with served.session.get(url + path) as answer:
            assert answer.status in (401, 404), path
    async with served.session.post(f"{url}/v1/chat/completions", json={"messages": STORY}) as answer:
        assert answer.status == 401


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which pages hold nothing")
async def test_slots_that_nobody_has_used_take_no_memory(tmp_path: Path) -> None:
    model = SMOLLM2 | {"context_length": 4096, "queue": {"at_once": 4}}
    slots = read_header(packaged_gguf()).cache_bytes(4 * 4096)
    async with running_inference(tmp_path, [model]) as service:
        loaded = psutil.Process(engine(service).pid).memory_info().rss
        assert loaded < packaged_gguf().stat().st_size + slots / 2
        assert (await streamed(service)).endswith("data: [DONE]\n\n")


async def test_a_process_beyond_its_memory_is_started_anew(tmp_path: Path) -> None:
    model = SMOLLM2 | {"queue": {"at_once": 1}}
    async with running_inference(tmp_path, [model]) as service:
        server = engine(service)._server
        first = server.pid
        server._watching.cancel()
        watching = server._watch(server._process, 10_000_000)  # it holds far more
        server._watching = asyncio.create_task(watching)
        await until(lambda: server.pid not in (None, first))
        assert not psutil.pid_exists(first)


async def test_a_process_that_hangs_is_ended_and_its_streams_with_it_and_the_next_one_answers(tmp_path: Path) -> None:
    model = SMOLLM2 | {"queue": {"at_once": 2, "waiting": 16}}
    async with running_inference(tmp_path, [model], stalled_seconds=2) as service:
        for _ in range(2):
            begun = asyncio.Event()
            stream = asyncio.create_task(streamed(service, begun))
            async with asyncio.timeout(DEADLINE_SECONDS):
                await begun.wait()
                stopped = engine(service).pid
                os.kill(stopped, signal.SIGSTOP)
                text = await stream
            assert "event: error" in text or text.endswith("data: [DONE]\n\n")  # it may have been done by then
            await until(lambda: engine(service).pid not in (None, stopped))  # noqa: B023
            async with service.post(
                "/v1/chat/completions", {"model": "smollm2", "messages": STORY, "max_tokens": 2}
            ) as answer:
                assert answer.status == 200
            assert not psutil.pid_exists(stopped)
        assert await service.metric(RESTARTS) >= 2


async def test_one_that_nobody_asks_gives_its_memory_back_and_two_calls_at_once_start_it_once(tmp_path: Path) -> None:
    model = SMOLLM2 | {"llamacpp": {"threads": 1, "idle_seconds": IDLE_SECONDS}}
    async with running_inference(tmp_path, [model], probe_seconds=1) as service:

        async def told() -> dict[str, Any]:
            async with service.session.get(f"{service.url}/v1/models/smollm2", headers=service.headers) as answer:
                return dict(await answer.json())

        async def sleeps() -> bool:
            return bool((await told())["asleep"])

        async def ended() -> bool:
            return await sleeps() and not psutil.pid_exists(first)

        first, known, restarts = engine(service).pid, await told(), await service.metric(RESTARTS)
        assert (known["state"], known["asleep"]) == ("ready", False)
        nobody_asked(service)
        await until(ended)  # though it is probed again and again
        async with service.session.get(f"{service.url}/readyz") as answer:
            assert answer.status == 200
        assert await service.metric('groundwork_inference_asleep{model="smollm2"}') == 1
        assert await service.metric('groundwork_inference_ready{model="smollm2"}') == 1
        asleep = await told()
        assert (asleep["state"], asleep["reason"]) == ("ready", None)
        assert llama_processes() == []

        body = {"model": "smollm2", "messages": STORY, "max_tokens": 2}
        whole, text = await asyncio.gather(_version(service, body), streamed(service))
        assert text.endswith("data: [DONE]\n\n")
        assert None not in (whole.digest, whole.fingerprint), "the files are the same"
        assert llama_processes() == [engine(service).pid]
        assert await service.metric(RESTARTS) == restarts
        assert await service.metric('groundwork_inference_asleep{model="smollm2"}') == 0

        nobody_asked(service)
        await until(sleeps)
        async with service.post("/v1/tokenize", {"model": "smollm2", "prompt": "Hi"}) as answer:
            assert (answer.status, (await answer.json())["count"]) == (200, 1)


def nobody_asked(service: Inference) -> None:
    """Have it be as long ago that somebody asked as it takes to fall asleep."""
    engine(service)._server._used_at -= IDLE_SECONDS


def llama_processes() -> list[int]:
    """Those that this process has started, and that run."""
    return [child.pid for child in psutil.Process().children() if str(CHILD) in child.cmdline()]


async def _version(service: Inference, body: dict[str, Any]) -> ModelVersion:
    async with service.post("/v1/chat/completions", body) as answer:
        assert answer.status == 200, await answer.text()
        return ModelVersion.of(answer.headers)


async def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"models": [SMOLLM2]}))
    (tmp_path / "key.pub").write_bytes(generate_key_pair()[1])
    environment = {
        **os.environ,
        "INFERENCE_PORT": "0",
        "INFERENCE_MODELS_FILE": str(tmp_path / "models.yaml"),
        "INFERENCE_DELEGATION_PUBLIC_KEY_FILE": str(tmp_path / "key.pub"),
    }
    with (tmp_path / "log").open("wb") as log:
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "inference", env=environment, stdout=log, stderr=log
        )
    try:
        process = psutil.Process(parent.pid)
        await until(lambda: bool(process.children()) or parent.returncode is not None)
        assert parent.returncode is None, (tmp_path / "log").read_text()[-2000:]
        [child] = process.children()
    finally:
        parent.kill()
        await parent.wait()
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def bad_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Sources of models that can't be loaded."""
    (folder / "text.gguf").write_bytes(b"no model at all")
    with packaged_gguf().open("rb") as whole:
        (folder / "cut.gguf").write_bytes(whole.read(4_000_000))
    name = b"general.architecture"
    field = struct.pack(f"<Q{len(name)}sIQ5s", len(name), name, 8, 5, b"qqqqq")
    (folder / "unknown.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + field)
    source = SMOLLM2["source"]
    return {
        "text": {"source": {"path": str(folder / "text.gguf")}},
        "cut": {"source": {"path": str(folder / "cut.gguf")}},
        "unknown": {"source": {"path": str(folder / "unknown.gguf")}},
        "large": {"llamacpp": {"memory_mb": 64}},
        "larger": {"llamacpp": {"gpu_layers": 1}, "context_length": 8192, "queue": {"at_once": 10_000}},
        "changed": {"source": source | {"sha256": "0" * 64}},
        "adapter": {"llamacpp": {"adapters": [{"source": {"path": str(folder / "text.gguf")}}]}},
    }


async def test_each_file_that_can_not_be_loaded_has_its_code_and_its_words(tmp_path: Path) -> None:
    bad = bad_files(tmp_path)
    models = [SMOLLM2 | {"name": name, "default": False} | changes for name, changes in bad.items()]
    (tmp_path / "inference").mkdir()
    async with running_inference(tmp_path / "inference", [CHAT, *models]) as service:
        await service.dependencies.models.loaded()
        told = {name: await refusal(service, name) for name in bad}
        async with service.post("/v1/chat/completions", {"model": "talker", "messages": STORY}) as answer:
            assert answer.status == 200  # the others serve
    assert {name: code for name, (code, _) in told.items()} == {
        "text": "model_file_invalid",
        "cut": "model_file_truncated",
        "unknown": "model_architecture_unknown",
        "large": "model_too_large",
        "larger": "model_too_large",
        "changed": "model_file_changed",
        "adapter": "model_file_invalid",
    }
    assert "'qqqqq'" in told["unknown"][1]
    assert "text.gguf" in told["adapter"][1]
    assert all(str(tmp_path) not in message for _, message in told.values())


async def refusal(service: Inference, model: str) -> tuple[str, str]:
    async with service.post("/v1/chat/completions", {"model": model, "messages": STORY}) as answer:
        error = (await answer.json())["error"]
        assert answer.status == 503
        return error["code"], error["message"]
