from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from retriever.stores.edge.write_groups import MOST_TOGETHER, WriteGroups
from retriever.stores.points import Point
from retriever.text.bm25 import SparseVector


def batch(name: str) -> list[Point]:
    return [Point(name, [1.0], SparseVector([], []), {})]


class Disk:
    """Notes what is flushed together; a flush ends when it is let go."""

    def __init__(self) -> None:
        self.flushed: list[list[str]] = []
        self.go = asyncio.Semaphore(0)
        self.began = asyncio.Semaphore(0)

    async def write(self, generation: str, batches: Sequence[Sequence[Point]]) -> None:
        names = [f"{generation}/{points[0].id}" for points in batches]
        self.began.release()
        await self.go.acquire()
        if any("bad" in name for name in names):
            raise ValueError(names)
        self.flushed.append(names)


@pytest.fixture
def disk() -> Disk:
    return Disk()


async def test_batches_that_come_during_a_flush_share_the_next_one(disk: Disk) -> None:
    writes = WriteGroups(disk.write)
    calls = [asyncio.create_task(writes.write("g", batch("1")))]
    await disk.began.acquire()
    calls += [asyncio.create_task(writes.write("g", batch(name))) for name in "234"]
    await asyncio.sleep(0)
    disk.go.release()
    await calls[0]
    await disk.began.acquire()
    assert not any(call.done() for call in calls[1:])  # nothing is acknowledged before its flush
    disk.go.release()
    await asyncio.gather(*calls)
    assert disk.flushed == [["g/1"], ["g/2", "g/3", "g/4"]]
    await writes.close()


async def test_generations_do_not_wait_for_one_another(disk: Disk) -> None:
    writes = WriteGroups(disk.write)
    calls = [asyncio.create_task(writes.write(name, batch("1"))) for name in ("g", "h")]
    for _ in calls:
        await disk.began.acquire()
    disk.go.release()
    disk.go.release()
    await asyncio.gather(*calls)
    assert sorted(disk.flushed) == [["g/1"], ["h/1"]]
    await writes.close()


async def test_a_batch_that_cannot_be_written_fails_its_own_caller_only(disk: Disk) -> None:
    writes = WriteGroups(disk.write)
    calls = [asyncio.create_task(writes.write("g", batch(name))) for name in ("first", "good", "bad", "other")]
    for _ in range(5):
        disk.go.release()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(result, ValueError) for result in results] == [False, False, True, False]
    assert sorted(name for names in disk.flushed for name in names) == ["g/first", "g/good", "g/other"]
    await writes.close()


async def test_a_caller_that_leaves_holds_up_nobody(disk: Disk) -> None:
    writes = WriteGroups(disk.write)
    calls = [asyncio.create_task(writes.write("g", batch(name))) for name in "12"]
    await disk.began.acquire()
    calls[0].cancel()
    for _ in range(2):
        disk.go.release()
    await calls[1]
    await writes.close()
    assert not writes._waiting


async def test_a_flush_takes_a_bounded_number_of_batches(disk: Disk) -> None:
    writes = WriteGroups(disk.write)
    for _ in range(3):
        disk.go.release()
    await asyncio.gather(*(writes.write("g", batch(str(number))) for number in range(2 * MOST_TOGETHER + 1)))
    assert [len(names) for names in disk.flushed] == [MOST_TOGETHER, MOST_TOGETHER, 1]
    await writes.close()
