from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from inference.engines.llamacpp.heartbeat import Heartbeat
from inference.engines.llamacpp.server import LlamaServer
from inference.errors import CannotLoad, FileInvalid, ModelNotReady


class Process:
    """Stands where a `ServerProcess` is."""

    def __init__(self, number: int) -> None:
        self.pid = number
        self.address = f"http://127.0.0.1:{number}"
        self.ended = asyncio.Event()
        self.memory = 0
        self.code = -9
        self.is_over = False

    async def wait(self, seconds: float) -> int | None:
        try:
            await asyncio.wait_for(self.ended.wait(), 0.01)
        except TimeoutError:
            return None
        return self.code

    def memory_bytes(self) -> int:
        return self.memory

    def cpu_seconds(self) -> float:
        return 0.0

    async def end(self) -> None:
        self.is_over = True


class Starts:
    """Makes processes, or fails as it is told to, and notes where the model was."""

    def __init__(self) -> None:
        self.made: list[Process] = []
        self.failures: list[Exception] = []
        self.addresses: list[str | None] = []
        self.changed = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    def server(self, name: str) -> LlamaServer:
        heartbeat = Heartbeat(self.answers.wait, stalled_seconds=3)
        return LlamaServer(name, start=self.start, moved=self.moved, heartbeat=heartbeat)

    async def start(self) -> Any:
        if self.failures:
            raise self.failures.pop(0)
        self.made.append(Process(len(self.made) + 1))
        return self.made[-1]

    def moved(self, address: str | None) -> None:
        self.addresses.append(address)
        self.changed.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def starts() -> Starts:
    return Starts()


def restarts(model: str) -> float | None:
    return REGISTRY.get_sample_value("groundwork_inference_engine_restarts_total", {"model": model})


async def test_a_process_that_ends_is_followed_by_another_at_its_own_address(starts: Starts) -> None:
    server = starts.server("followed")
    with pytest.raises(ModelNotReady, match="loading"):
        server.check()
    await server.open(None)
    server.check()
    starts.made[0].ended.set()
    await starts.until(lambda: len(starts.addresses) == 3)
    assert starts.addresses == ["http://127.0.0.1:1", None, "http://127.0.0.1:2"]
    assert starts.made[0].is_over
    server.check()
    assert restarts("followed") == 1
    await server.close()
    assert starts.made[1].is_over


async def test_a_process_that_takes_too_much_memory_is_ended_and_followed(starts: Starts) -> None:
    server = starts.server("greedy")
    await server.open(1000)
    starts.made[0].memory = 1001
    await starts.until(lambda: starts.addresses[1:2] == [None])
    with pytest.raises(ModelNotReady, match="more than 0 MB, and is started again"):
        server.check()
    await starts.until(lambda: len(starts.made) == 2)
    assert starts.made[0].is_over
    await server.close()


async def test_a_process_that_hangs_is_ended_and_followed(starts: Starts) -> None:
    server = starts.server("hanging")
    await server.open(None)
    starts.answers.clear()
    await starts.until(lambda: starts.addresses[1:2] == [None])
    with pytest.raises(ModelNotReady, match="hung: it has answered nothing for 3 s, and is started again"):
        server.check()
    starts.answers.set()
    await starts.until(lambda: len(starts.addresses) == 3)
    assert starts.made[0].is_over
    assert restarts("hanging") == 1
    await server.close()


async def test_a_start_that_fails_again_and_again_is_tried_until_it_succeeds(starts: Starts) -> None:
    server = starts.server("stubborn")
    await server.open(None)
    starts.failures = [CannotLoad("the file is gone"), OSError("no more processes")]
    starts.made[0].ended.set()
    await starts.until(lambda: len(starts.addresses) == 3)
    assert restarts("stubborn") == 3
    await server.close()


async def test_a_first_start_that_fails_is_the_callers_to_tell(starts: Starts) -> None:
    server = starts.server("none")
    starts.failures = [FileInvalid("it is no GGUF file")]
    with pytest.raises(FileInvalid):
        await server.open(None)
    await server.close()
    assert starts.addresses == []


async def test_closing_ends_the_wait_for_a_start(starts: Starts) -> None:
    server = starts.server("closed")
    await server.open(None)
    starts.failures = [CannotLoad("gone")] * 1000
    starts.made[0].ended.set()
    await starts.until(lambda: starts.addresses[-1] is None)
    await server.close()
    with pytest.raises(ModelNotReady):
        server.check()
