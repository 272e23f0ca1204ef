from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from inference.engines.llamacpp import server as llama_server
from inference.engines.llamacpp.heartbeat import Heartbeat
from inference.engines.llamacpp.memory_pool import MemoryPool
from inference.engines.llamacpp.server import LlamaServer
from inference.errors import CannotLoad, FileInvalid, ModelBusy, ModelNotReady


class Process:
    """Stands where a `ServerProcess` is."""

    def __init__(self, number: int, changed: asyncio.Event) -> None:
        self.changed = changed
        self.pid = number
        self.address = f"http://127.0.0.1:{number}"
        self.ended = asyncio.Event()
        self.memory = 0
        self.code = -9
        self.is_over = False
        self.looks = 0

    async def wait(self, seconds: float) -> int | None:
        self.looks += 1
        self.changed.set()
        try:
            await asyncio.wait_for(self.ended.wait(), 0.01)
        except TimeoutError:
            return None
        return self.code

    def memory_bytes(self) -> int:
        return self.memory

    def private_bytes(self) -> int:
        return self.memory

    def cpu_seconds(self) -> float:
        return 0.0

    async def end(self) -> None:
        self.is_over = True
        self.changed.set()


class Starts:
    """Makes processes, or fails as it is told to, and notes where the model was."""

    def __init__(self) -> None:
        self.made: list[Process] = []
        self.failures: list[Exception] = []
        self.addresses: list[str | None] = []
        self.changed = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.seconds = 0.0

    def server(self, name: str, idle_seconds: float = 0) -> LlamaServer:
        return LlamaServer(
            name,
            start=self.start,
            moved=self.moved,
            heartbeat=Heartbeat(self.answers.wait, stalled_seconds=3),
            pool=MemoryPool(lambda: None),
            idle_seconds=idle_seconds,
            now=lambda: self.seconds,
        )

    async def sleeping(self, name: str) -> LlamaServer:
        """A server that was started, and that nobody has asked for its 300 seconds."""
        server = self.server(name, 300)
        await server.open(None)
        self.seconds += 300
        await self.until(lambda: self.made[-1].is_over)
        return server

    async def start(self) -> Any:
        await self.may_start.wait()
        if self.failures:
            self.changed.set()
            raise self.failures.pop(0)
        self.made.append(Process(len(self.made) + 1, self.changed))
        return self.made[-1]

    async def look_again(self) -> None:
        """Return when the watch has looked at the process, and decided what to do."""
        seen = self.made[-1].looks
        await self.until(lambda: self.made[-1].looks > seen + 1)

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


def sleepers() -> dict[str, float]:
    """By model whether it sleeps. Other metrics, of which there may be thousands of samples, are not collected."""
    collected = REGISTRY.restricted_registry(["groundwork_inference_asleep"]).collect()
    return {sample.labels["model"]: sample.value for metric in collected for sample in metric.samples}


def asleep(model: str) -> float | None:
    return sleepers().get(model)


async def use(server: LlamaServer) -> int | None:
    async with server.use():
        return server.pid


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


async def test_a_model_that_nobody_asks_sleeps_and_two_calls_that_come_start_it_once(starts: Starts) -> None:
    server = starts.server("idle", 300)
    await server.open(None)
    starts.seconds = 299
    await starts.look_again()
    assert (server.is_asleep, asleep("idle")) == (False, 0)
    starts.seconds = 300
    await starts.until(lambda: starts.made[0].is_over)
    assert (server.is_asleep, asleep("idle"), server.pid) == (True, 1, None)
    server.check()  # it is as well as one that is awake
    assert await asyncio.gather(use(server), use(server)) == [2, 2]
    assert starts.addresses == ["http://127.0.0.1:1", None, "http://127.0.0.1:2"]
    assert (server.is_asleep, asleep("idle"), restarts("idle")) == (False, 0, 0)
    starts.seconds += 300
    await starts.until(lambda: starts.made[1].is_over)
    await server.close()


async def test_one_that_is_not_to_sleep_never_does(starts: Starts) -> None:
    server = starts.server("sleepless")
    await server.open(None)
    starts.seconds = 1e9
    await starts.look_again()
    assert not server.is_asleep
    await server.close()


async def test_it_does_not_sleep_while_it_is_used_and_only_a_use_keeps_it_awake_after(starts: Starts) -> None:
    server = starts.server("used", 300)
    await server.open(None)
    async with server.use():
        starts.seconds = 1000
        await starts.look_again()
        assert not server.is_asleep, "a call is under way"
    starts.seconds = 1299
    await starts.look_again()
    assert not server.is_asleep, "its idle time begins with the end of the call"
    with server.hold():
        starts.seconds = 1300
        await starts.look_again()
        assert not server.is_asleep, "it is being looked at"
    await starts.until(lambda: starts.made[0].is_over)
    await server.close()


async def test_who_finds_it_falling_asleep_has_the_next_process(starts: Starts) -> None:
    server = starts.server("falling", 300)
    await server.open(None)
    starts.seconds = 300
    await starts.until(lambda: server.is_asleep)
    assert await use(server) == 2
    assert starts.made[0].is_over
    await server.close()


@pytest.mark.parametrize(
    ("failure", "code"), [(FileInvalid("it is no GGUF file"), FileInvalid.code), (OSError("no"), ModelNotReady.code)]
)
async def test_who_wakes_one_that_can_not_be_started_is_told_why_and_the_next_call_tries_again(
    starts: Starts, failure: Exception, code: str
) -> None:
    server = await starts.sleeping("broken")
    starts.failures = [failure]
    with pytest.raises(ModelNotReady, match=f"it failed to load: {failure}") as told:
        await use(server)
    assert told.value.code == code
    with pytest.raises(ModelNotReady, match=f"it failed to load: {failure}"):
        server.check()
    assert await use(server) == 2
    server.check()
    assert restarts("broken") == 0
    await server.close()


async def test_one_that_could_not_be_woken_is_tried_again_though_nobody_asks_any_more(
    starts: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama_server, "LONGEST_PAUSE_OF_FAILURES_SECONDS", 0.01)
    server = await starts.sleeping("wanted")
    starts.failures = [CannotLoad("there is not enough memory for it")]
    with pytest.raises(ModelNotReady):
        await use(server)
    await starts.until(lambda: len(starts.made) == 2)
    assert not server.is_asleep
    server.check()
    await server.close()


async def test_a_caller_that_leaves_undoes_no_start_and_removing_the_model_ends_the_wait(starts: Starts) -> None:
    server = await starts.sleeping("left")
    starts.may_start.clear()
    leaving, staying = asyncio.create_task(use(server)), asyncio.create_task(use(server))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert not staying.done()
    await server.close()
    with pytest.raises(ModelNotReady, match="it is being removed"):
        await staying


async def test_no_more_calls_wait_for_one_that_sleeps_than_may(starts: Starts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_server, "MOST_WAITING", 1)
    server = await starts.sleeping("crowded")
    starts.may_start.clear()
    first = asyncio.create_task(use(server))
    await asyncio.sleep(0)
    with pytest.raises(ModelBusy):
        await use(server)
    starts.may_start.set()
    assert await first == 2
    await server.close()


async def test_one_that_was_woken_is_watched_over_as_before(starts: Starts) -> None:
    server = await starts.sleeping("watched")
    await use(server)
    starts.made[1].ended.set()
    await starts.until(lambda: len(starts.made) == 3)
    assert restarts("watched") == 1
    await server.close()
