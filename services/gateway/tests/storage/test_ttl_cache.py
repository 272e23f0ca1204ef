from __future__ import annotations

import asyncio

import pytest

from gateway.storage.ttl_cache import TtlCache
from servicekit.core.clock import ManualClock


class Source:
    def __init__(self) -> None:
        self.reads: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, key: str) -> str:
        self.reads.append(key)
        await self.gate.wait()
        if key == "bad":
            raise KeyError(key)
        return f"{key}{len(self.reads)}"


def _remembered(source: Source, clock: ManualClock, capacity: int = 2) -> TtlCache[str, str]:
    return TtlCache(source.read, seconds=1.0, capacity=capacity, clock=clock)


async def test_a_value_is_read_again_when_it_is_too_old(clock: ManualClock) -> None:
    source = Source()
    values = _remembered(source, clock)
    assert [await values.get("a"), await values.get("a")] == ["a1", "a1"]
    clock.advance(1.0)
    assert await values.get("a") == "a2"


async def test_concurrent_readers_share_one_read_and_one_may_leave(clock: ManualClock) -> None:
    source = Source()
    source.gate.clear()
    values = _remembered(source, clock)
    readers = [asyncio.create_task(values.get("a")) for _ in range(5)]
    await asyncio.sleep(0)
    readers[0].cancel()
    source.gate.set()
    done = await asyncio.gather(*readers, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert done[1:] == ["a1"] * 4
    assert source.reads == ["a"]


async def test_a_failed_read_is_not_remembered(clock: ManualClock) -> None:
    source = Source()
    values = _remembered(source, clock)
    for _ in range(2):
        with pytest.raises(KeyError):
            await values.get("bad")
    assert source.reads == ["bad", "bad"]


async def test_a_read_that_began_before_it_was_forgotten_is_not_kept(clock: ManualClock) -> None:
    source = Source()
    source.gate.clear()
    values = _remembered(source, clock)
    early = asyncio.create_task(values.get("a"))
    await asyncio.sleep(0)
    values.invalidate("a")
    source.gate.set()
    assert await early == "a1"
    assert await values.get("a") == "a2"


async def test_memory_is_bounded(clock: ManualClock) -> None:
    source = Source()
    values = _remembered(source, clock, capacity=2)
    for key in "abcab":
        await values.get(key)
    assert source.reads == ["a", "b", "c", "a", "b"]
