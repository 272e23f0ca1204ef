from __future__ import annotations

import asyncio
from typing import Any

import pytest
from services.inference.tests.engines.llamacpp.test_server import Starts, asleep, restarts, sleepers, use

from inference.engines.llamacpp import memory_pool
from inference.engines.llamacpp import server as llama_server
from inference.engines.llamacpp.heartbeat import Heartbeat
from inference.engines.llamacpp.memory_pool import MemoryPool
from inference.engines.llamacpp.server import LlamaServer
from inference.errors import CannotLoad, ModelNotReady, ModelTooLarge

MB = 1_000_000


class Model:
    """Stands where a `LlamaServer` is."""

    def __init__(self, idle_since: float | None = None) -> None:
        self.idle_since = idle_since
        self.pid: int | None = None
        self.private_bytes = 0
        self.sleeps = 0

    async def fall_asleep(self) -> None:
        self.sleeps += 1
        self.idle_since = self.pid = None
        await asyncio.sleep(0)


class Gpus:
    """GPUs with so much memory, and how often they were asked for it."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.asked = 0

    async def __call__(self) -> int | None:
        self.asked += 1
        return self.size


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_pool, "WAIT_SECONDS", 0.0)


def pool_of(megabytes: int | None, gpus: Gpus | None = None) -> MemoryPool:
    return MemoryPool(lambda: None if megabytes is None else megabytes * MB, gpus or Gpus(None))


async def reserve(
    pool: MemoryPool, model: Model, megabytes: int, *, must: bool = False, layers: int | None = None
) -> None:
    await pool.reserve(model, "m.gguf", megabytes * MB, gpu_layers=layers, must=must)


async def test_the_least_recently_used_of_those_that_are_idle_sleep_and_no_more_than_it_takes() -> None:
    pool = pool_of(100)
    busy, late, early, middle = Model(), Model(30), Model(10), Model(20)
    for model in (busy, late, early, middle):
        await reserve(pool, model, 25)
    await reserve(pool, Model(), 50)
    assert [model.sleeps for model in (busy, late, early, middle)] == [0, 0, 1, 1]
    assert [pool.has(model) for model in (busy, late, early, middle)] == [True, True, False, False]


@pytest.mark.usefixtures("impatient")
async def test_what_a_process_may_take_yet_is_as_taken_and_what_it_holds_is_not_counted_twice() -> None:
    pool = pool_of(100)  # what the system says is free now
    other = Model()
    await reserve(pool, other, 60)
    other.private_bytes = 20 * MB
    await reserve(pool, Model(), 60)
    with pytest.raises(ModelTooLarge, match=r"m\.gguf needs about 10 MB, and 0 MB are left beside .* Ask again"):
        await reserve(pool, Model(), 10)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("layers", [None, 0])
async def test_none_sleeps_for_one_that_would_have_no_room_even_then(layers: int | None) -> None:
    pool, busy, idle = pool_of(100), Model(), Model(1)
    await reserve(pool, busy, 50, layers=layers)
    await reserve(pool, idle, 40, layers=layers)
    with pytest.raises(ModelTooLarge):
        await reserve(pool, Model(), 60, layers=layers)
    assert idle.sleeps == 0
    await reserve(pool, Model(), 50, layers=layers)
    assert [idle.sleeps] == [1]
    with pytest.raises(ModelTooLarge, match=r"and 100 MB are left\. Take a smaller model"):
        await reserve(pool_of(100), Model(), 101, layers=layers)


async def test_one_waits_for_calls_of_others_to_end() -> None:
    pool, busy, waiting = pool_of(100), Model(), Model()
    await reserve(pool, busy, 60)
    reserving = asyncio.create_task(reserve(pool, waiting, 60))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not reserving.done()
    busy.idle_since = 1.0
    pool.notify()
    async with asyncio.timeout(60):
        await reserving
    assert (busy.sleeps, pool.has(waiting)) == (1, True)


async def test_two_that_come_at_once_do_not_take_the_same_room() -> None:
    pool, idle = pool_of(100), [Model(1), Model(2)]
    for model in idle:
        await reserve(pool, model, 50)
    await asyncio.gather(*(reserve(pool, Model(), 50) for _ in range(2)))
    assert [model.sleeps for model in idle] == [1, 1]


async def test_one_that_never_sleeps_has_its_part_though_there_is_less_and_others_sleep_for_it() -> None:
    pool, idle = pool_of(100), Model(1)
    await reserve(pool, idle, 60)
    await reserve(pool, large := Model(), 500, must=True)
    assert (idle.sleeps, pool.has(large)) == (1, True)
    pool.release(large)
    await reserve(pool, idle, 100)


async def test_nothing_is_refused_where_the_system_does_not_say_what_is_free() -> None:
    pool = pool_of(None)
    for _ in range(3):
        await reserve(pool, Model(1), 1000)


@pytest.mark.usefixtures("impatient")
async def test_gpus_have_room_too_unless_no_layer_goes_there_and_are_asked_only_where_it_matters() -> None:
    gpus = Gpus(1000 * MB)
    pool = pool_of(100, gpus)
    await reserve(pool, Model(), 100)
    assert gpus.asked == 0
    await reserve(pool, Model(), 900)
    with pytest.raises(ModelTooLarge):
        await reserve(pool, Model(), 10, layers=0)
    assert [gpus.asked] == [1]
    none = Gpus(None)
    pool = pool_of(100, none)
    for _ in range(2):
        with pytest.raises(ModelTooLarge):
            await reserve(pool, Model(), 900)
    assert none.asked == 1, "none come while it runs"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("megabytes", [90, 500])
async def test_what_gpus_have_is_none_of_the_machines_memory_once_a_process_serves(megabytes: int) -> None:
    pool, on_gpu = pool_of(100, gpus := Gpus(1000 * MB)), Model()
    await reserve(pool, on_gpu, megabytes)
    with pytest.raises(ModelTooLarge):
        await reserve(pool, Model(), 80, layers=0)
    on_gpu.pid, on_gpu.private_bytes = 1, 5 * MB
    await reserve(pool, Model(), 80, layers=0)
    assert gpus.asked == 1
    on_gpu.idle_since = 1.0
    with pytest.raises(ModelTooLarge):
        await reserve(pool, Model(), 60, layers=0)
    assert on_gpu.sleeps == 0, "the machine would have 5 MB more by that"


@pytest.mark.usefixtures("impatient")
async def test_without_gpus_weights_are_to_come_as_long_as_a_process_serves() -> None:
    pool, serving = pool_of(100, gpus := Gpus(None)), Model()
    await reserve(pool, serving, 90)
    serving.pid, serving.private_bytes = 1, 5 * MB
    for layers in (0, None):
        with pytest.raises(ModelTooLarge):
            await reserve(pool, Model(), 20, layers=layers)
    assert gpus.asked == 1


@pytest.mark.usefixtures("impatient")
async def test_models_that_start_together_do_not_get_the_same_memory_of_gpus() -> None:
    pool, first = pool_of(100, gpus := Gpus(1000 * MB)), Model()
    await reserve(pool, first, 800)
    with pytest.raises(ModelTooLarge):
        await reserve(pool, Model(), 800)
    first.pid, gpus.size = 1, 200 * MB
    await reserve(pool, Model(), 500, layers=0, must=True)  # which takes no room of GPUs
    await reserve(pool, Model(), 200)


async def test_gpus_that_do_not_answer_are_as_none_for_now_and_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, idle = asyncio.Event(), Model(1)

    async def gpus() -> int:
        await answers.wait()
        return 1000 * MB

    pool = MemoryPool(lambda: 100 * MB, gpus)
    await reserve(pool, idle, 50)
    monkeypatch.setattr(memory_pool, "WAIT_SECONDS", 0.05)
    async with asyncio.timeout(60):
        with pytest.raises(ModelTooLarge):
            await reserve(pool, Model(), 900)
    assert idle.sleeps == 0
    monkeypatch.setattr(memory_pool, "WAIT_SECONDS", 60.0)
    answers.set()
    await reserve(pool, Model(), 900)


class Crowd:
    """Models of 60 bytes each that share 100, and so can't be awake at once."""

    def __init__(self) -> None:
        self.pool = MemoryPool(lambda: 100)
        self.starts: dict[str, Starts] = {}

    async def model(self, name: str, *, asleep: bool = True, idle_seconds: float = 300) -> LlamaServer:
        starts = self.starts[name] = Starts()

        async def start() -> Any:
            if not self.pool.has(server):
                await self.pool.reserve(server, name, 60, gpu_layers=0, must=not idle_seconds)
            return await starts.start()

        server = LlamaServer(
            name,
            start=start,
            moved=starts.moved,
            heartbeat=Heartbeat(starts.answers.wait, stalled_seconds=3),
            pool=self.pool,
            idle_seconds=idle_seconds,
        )
        await server.open(None, asleep=asleep)
        return server

    def running(self) -> list[str]:
        """Models with a process."""
        made = [(name, process) for name, starts in self.starts.items() for process in starts.made]
        return [name for name, process in made if not process.is_over]


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    monkeypatch.setattr(memory_pool, "WAIT_SECONDS", 0.0)
    return Crowd()


async def test_of_many_models_no_more_are_awake_than_there_is_room_for(crowd: Crowd) -> None:
    servers = {f"crowd-{number}": await crowd.model(f"crowd-{number}") for number in range(50)}
    assert crowd.running() == []
    for name, server in servers.items():
        server.check()
        assert (await use(server), asleep(name)) == (1, 0)
        assert crowd.running() == [name]
        assert sum(value for other, value in sleepers().items() if other in servers) == 49
    first = servers["crowd-0"]
    assert (await use(first), restarts("crowd-0")) == (2, 0)
    for server in servers.values():
        await server.close()
    assert crowd.running() == []


async def test_a_call_under_way_keeps_its_model_and_another_is_refused_until_it_has_ended(crowd: Crowd) -> None:
    busy, other = await crowd.model("kept"), await crowd.model("refused")
    async with busy.use():
        with pytest.raises(ModelNotReady, match=r"it sleeps, and refused needs .* Ask again") as told:
            await use(other)
        assert (told.value.code, told.value.status, told.value.retry_after) == (ModelTooLarge.code, 503, 5.0)
        assert (other.is_asleep, asleep("refused"), crowd.running()) == (True, 1, ["kept"])
        other.check()  # nothing speaks against it
    assert await use(other) == 1
    assert crowd.running() == ["refused"]
    await busy.close()
    await other.close()


async def test_one_that_may_sleep_begins_asleep_where_there_is_no_room_and_one_that_never_does_takes_it(
    crowd: Crowd,
) -> None:
    sleepless = await crowd.model("without-sleep", asleep=False, idle_seconds=0)
    sleeper = await crowd.model("with-sleep", asleep=False)
    assert (sleepless.is_asleep, sleeper.is_asleep) == (False, True)
    sleeper.check()
    with pytest.raises(ModelNotReady):
        await use(sleeper)
    await sleepless.close()
    assert await use(sleeper) == 1
    other = await crowd.model("without-sleep-2", asleep=False, idle_seconds=0)
    assert crowd.running() == ["without-sleep-2"]
    for server in (sleeper, other):
        await server.close()


async def test_one_that_is_started_again_keeps_its_room(crowd: Crowd) -> None:
    crashing, other = await crowd.model("crashing", asleep=False), await crowd.model("other")
    starts = crowd.starts["crashing"]
    starts.may_start.clear()
    starts.made[0].ended.set()
    await starts.until(lambda: starts.addresses[-1] is None)
    with pytest.raises(ModelNotReady):
        await use(other)
    starts.may_start.set()
    await starts.until(lambda: len(starts.addresses) == 3)
    assert crashing.pid == 2
    for server in (crashing, other):
        await server.close()


async def test_one_that_can_not_be_started_again_gives_its_room_back_and_asks_for_it_anew(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama_server, "LONGEST_PAUSE_OF_FAILURES_SECONDS", 0.01)
    crashing, other = await crowd.model("gone", asleep=False), await crowd.model("stays")
    starts = crowd.starts["gone"]
    starts.failures = [CannotLoad("the file is gone")] * 10_000
    starts.made[0].ended.set()
    await starts.until(lambda: not crowd.pool.has(crashing))
    async with other.use():
        starts.failures.clear()
        await asyncio.sleep(0.05)
        with pytest.raises(ModelNotReady, match=r"it can't be started again"):
            crashing.check()
        assert crowd.running() == ["stays"]
    await starts.until(lambda: len(starts.addresses) == 3)
    assert (crowd.running(), other.is_asleep) == (["gone"], True)
    for server in (crashing, other):
        await server.close()
