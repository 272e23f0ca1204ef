"""A server behind inference that is stopped, killed or slow: the documented error in time; then ready by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from tests.support.inference.running import Inference, running_inference

from contracts.access.delegation import Delegation
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

SILENCE_SECONDS = 8.0
"""What inference is set to bear."""
DEADLINE_SECONDS = 240.0
WORDS = "one two three four five six seven eight nine ten " * 40
TALKER = {"kind": "chat", "engine": "scripted", "context_length": 4096, "source": {"pace_seconds": 0.06}}
SLOW = {"kind": "chat", "engine": "scripted", "context_length": 4096, "source": {"pace_seconds": 60}}
VECTORS = {"kind": "embedding", "engine": "scripted", "max_input_tokens": 64, "dimensions": 8}
SERVED = {"talker": TALKER, "slow": SLOW, "words": VECTORS}


@dataclass
class Server:
    """An inference service in a process of its own, as the server behind another."""

    folder: Path
    token: str
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            **os.environ,
            "INFERENCE_PORT": str(self.port),
            "INFERENCE_MODELS_FILE": str(self.folder / "models.yaml"),
            "INFERENCE_DELEGATION_PUBLIC_KEY_FILE": str(self.folder / "key.pub"),
        }
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "inference"], env=environment, stdout=log, stderr=log
            )
        self._wait(time.monotonic() + DEADLINE_SECONDS)

    def _wait(self, deadline: float) -> None:
        """Until it listens; a process that ended instead says why at once, not after everybody's deadline."""
        assert self.process is not None
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise TimeoutError("the server does not listen")

    def send(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    private, public = generate_key_pair()
    folder = tmp_path_factory.mktemp("server")
    (folder / "key.pub").write_bytes(public)
    models = [{"name": name, **declared} for name, declared in SERVED.items()]
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": models}))
    claims = Delegation(audiences=("inference",), tenant="acme", key_id="key_1", scopes=("chat",), request_id="req_1")
    token = DelegationSigner(private).sign(claims, timedelta(hours=1))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(folder, token, port)
    yield server
    server.end()


@pytest.fixture
def server(one_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TEST_SERVER_KEY", one_server.token)
    if one_server.process is None or one_server.process.poll() is not None:
        one_server.start()
    yield one_server
    if one_server.process is not None and one_server.process.poll() is None:
        one_server.send(signal.SIGCONT)  # a test that failed must not have the next ones fail


@pytest.fixture
async def inference(server: Server, tmp_path: Path) -> AsyncIterator[Inference]:
    """Ready once the server is. `slow` is no default, since nothing could make it ready."""
    models = []
    for name, declared in SERVED.items():
        source = {"base_url": f"{server.url}/v1", "upstream_model": name, "api_key_env": "TEST_SERVER_KEY"}
        models.append(declared | {"name": name, "engine": "openai", "source": source, "default": name != "slow"})
    async with running_inference(
        tmp_path, models, upstream_seconds=SILENCE_SECONDS, probe_seconds=4, stalled_seconds=4
    ) as service:
        yield service


def ask(model: str = "talker", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": WORDS}], **more}


async def failure(inference: Inference, **more: Any) -> tuple[int, str]:
    async with inference.post("/v1/chat/completions", ask(**more)) as answer:
        return answer.status, (await answer.json())["error"]["type"]


async def parts(inference: Inference) -> tuple[int, dict[str, Any]]:
    async with inference.session.get(f"{inference.url}/readyz") as answer:
        return answer.status, (await answer.json())["parts"]


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await true():  # noqa: ASYNC110  # another process would poll, too
            await asyncio.sleep(0.1)


async def ready_again(inference: Inference) -> None:
    async def is_ready() -> bool:
        return (await parts(inference))[0] == 200

    await until(is_ready)
    async with inference.post("/v1/chat/completions", ask(max_tokens=1)) as answer:
        assert answer.status == 200


async def test_a_server_that_hangs_is_timed_out_shown_and_used_again_when_it_goes_on(
    inference: Inference, server: Server
) -> None:
    started = time.monotonic()  # before the last word that inference can hear: silence begins with that one
    async with inference.post("/v1/chat/completions", ask(stream=True)) as under_way:
        await under_way.content.readany()
        server.send(signal.SIGSTOP)
        text = (await under_way.content.read()).decode()
    assert "event: error" in text
    assert "upstream_timeout" in text
    assert "[DONE]" not in text
    assert time.monotonic() - started >= SILENCE_SECONDS
    both = await asyncio.gather(*(failure(inference, stream=stream) for stream in (False, True)))
    assert both == [(504, "upstream_timeout")] * 2

    async def shows() -> bool:
        status, shown = await parts(inference)
        return status == 503 and not shown["model:talker"]["ok"] and not shown["model:words"]["ok"]

    await until(shows)
    assert (await parts(inference))[1]["model:talker"]["detail"]

    async def counts() -> bool:
        return await inference.metric('groundwork_inference_ready{model="talker"}') == 0

    await until(counts)
    assert await inference.metric("groundwork_inference_running") == 0
    server.send(signal.SIGCONT)
    await ready_again(inference)
    assert await inference.metric('groundwork_inference_ready{model="talker"}') == 1


async def test_calls_that_wait_for_a_hanging_server_raise_the_alarm(inference: Inference, server: Server) -> None:
    silent = 'groundwork_inference_silent_seconds{model="talker"}'
    assert await inference.metric(silent) == 0
    server.send(signal.SIGSTOP)
    waiting = [asyncio.create_task(failure(inference))]

    async def alarm() -> bool:
        if waiting[-1].done():  # this machine is too busy to see it within one call's time: another call waits
            waiting.append(asyncio.create_task(failure(inference)))
        return await inference.metric(silent) > 0

    await until(alarm)
    assert {status for status, _ in await asyncio.gather(*waiting)} == {504}
    assert await inference.metric(silent) == 0
    server.send(signal.SIGCONT)
    await ready_again(inference)


async def test_a_server_that_is_killed_fails_its_calls_and_is_used_again_when_it_is_back(
    inference: Inference, server: Server
) -> None:
    async with inference.post("/v1/chat/completions", ask(stream=True)) as under_way:
        await under_way.content.readany()
        server.send(signal.SIGKILL)
        text = (await under_way.content.read()).decode()
    assert "event: error" in text
    assert "upstream_error" in text
    server.end()
    assert await failure(inference) == (503, "overloaded")
    status, shown = await parts(inference)
    assert (status, shown["model:talker"]["ok"]) == (503, False)
    assert "can't be reached" in shown["model:talker"]["detail"]
    assert await inference.metric("groundwork_inference_running") == 0
    server.start()
    await ready_again(inference)


async def test_a_model_that_is_too_slow_is_timed_out_alone(inference: Inference) -> None:
    slow = asyncio.create_task(failure(inference, model="slow"))
    async with inference.post("/v1/chat/completions", ask(stream=True, max_tokens=200)) as slow_but_moving:
        text = await slow_but_moving.text()  # takes longer than the silence that is borne, but is never silent
    assert text.endswith("data: [DONE]\n\n")
    assert await slow == (504, "upstream_timeout")
    await ready_again(inference)
    _, shown = await parts(inference)
    assert shown["model:slow"]["detail"]  # shown, but it is no default


async def test_answers_under_way_are_finished_at_shutdown(inference: Inference, server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}
    async with aiohttp.ClientSession() as session:
        body = ask(stream=True, max_tokens=60)
        async with session.post(f"{server.url}/v1/chat/completions", json=body, headers=headers) as under_way:
            await under_way.content.readany()
            server.send(signal.SIGTERM)
            text = (await under_way.content.read()).decode()
    assert text.endswith("data: [DONE]\n\n")
    assert server.process is not None
    assert await asyncio.to_thread(server.process.wait, 60) in (0, -signal.SIGTERM)  # uvicorn passes the signal on
