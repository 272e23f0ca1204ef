"""A job's events: their numbers, and following them to the end, wherever that is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from tests.support.jobs.kind import EVENTS, FINAL, TABLE, CountingBench, empty_database

from servicekit.core.clock import ManualClock
from servicekit.jobs import events
from servicekit.jobs.events import Event, EventLog
from servicekit.sql.database import Database

LOG = EventLog(EVENTS, TABLE, FINAL)
HOUR = 3600.0


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[CountingBench]:
    async with empty_database(None, tmp_path) as database:
        yield CountingBench(database, ManualClock())


async def _add(bench: CountingBench, job_id: str, last: int, *types: str) -> None:
    said = [Event(type_, {"said": type_}) for type_ in types]
    async with bench.database.write() as connection:
        await LOG.add(connection, job_id, last, said, bench.clock.now())


async def _end(database: Database, job_id: str, status: str = "ready") -> None:
    ended = update(TABLE).where(TABLE.c.id == job_id).values(status=status)
    await database.write(lambda connection: connection.execute(ended))


async def _followed(bench: CountingBench, job_id: str, number: int = 0, log: EventLog = LOG) -> list[int | None]:
    following = log.follow(bench.database, bench.notifier, job_id, number, HOUR)
    async with asyncio.timeout(60):
        return [None if event is None else event["id"] async for event in following]


async def test_events_are_numbered_up_to_the_number_that_the_job_s_row_counts(bench: CountingBench) -> None:
    job_id, other = await bench.add(), await bench.add()
    await _add(bench, job_id, 2, "a", "b")
    await _add(bench, job_id, 3, "c")
    await _add(bench, job_id, 3)
    await _add(bench, other, 1, "x")
    rows = await LOG.after(bench.database, job_id, 1)
    assert [(row["id"], row["type"], row["data"]) for row in rows] == [(2, "b", {"said": "b"}), (3, "c", {"said": "c"})]
    assert await LOG.after(bench.database, job_id, 3) == []


async def test_a_follower_gets_all_of_a_job_that_is_over_however_many_at_a_time(
    bench: CountingBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "AT_ONCE", 2)
    few = EventLog(EVENTS, TABLE, FINAL)
    job_id = await bench.add(status="ready")
    await _add(bench, job_id, 5, *"abcde")
    assert await _followed(bench, job_id, log=few) == [1, 2, 3, 4, 5]
    assert await _followed(bench, job_id, 3, few) == [4, 5]


async def test_where_nothing_can_come_any_more_a_follower_does_not_wait(bench: CountingBench) -> None:
    over = await bench.add(status="failed")
    assert await _followed(bench, over) == []
    assert await _followed(bench, "never was") == []


async def test_after_an_event_of_a_final_type_nothing_is_waited_for_though_the_job_goes_on(
    bench: CountingBench,
) -> None:
    job_id = await bench.add(status="running")
    await _add(bench, job_id, 3, "said", "done", "late")
    assert await _followed(bench, job_id, log=EventLog(EVENTS, TABLE, FINAL, ("done",))) == [1, 2]


async def test_the_last_events_of_a_job_that_ends_between_two_looks_are_not_missed(
    bench: CountingBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await bench.add(status="running")
    is_over = LOG._is_over

    async def ends_meanwhile(database: Database, job: str) -> bool:
        await _add(bench, job_id, 1, "done")
        await _end(database, job_id)
        monkeypatch.undo()
        return await is_over(database, job)

    monkeypatch.setattr(LOG, "_is_over", ends_meanwhile)
    assert await _followed(bench, job_id) == [1]


async def test_a_follower_is_woken_and_ends_when_the_job_is_deleted(bench: CountingBench) -> None:
    job_id = await bench.add(status="running")
    await _add(bench, job_id, 1, "said")
    following = LOG.follow(bench.database, bench.notifier, job_id, 0, HOUR)
    async with asyncio.timeout(60):
        first = await anext(following)
        assert first is not None
        rest = asyncio.create_task(_rest(following))
        await bench.database.write(lambda connection: connection.execute(delete(TABLE).where(TABLE.c.id == job_id)))
        bench.notifier.notify(job_id)
        assert await rest == []
    assert await LOG.after(bench.database, job_id, 0) == [], "its events went with it"


async def _rest(following: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in following]


async def test_silence_is_told_so_that_a_connection_can_be_kept_alive(
    bench: CountingBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.001)
    job_id = await bench.add(status="running")
    following = LOG.follow(bench.database, bench.notifier, job_id, 0, 0.003)
    async with asyncio.timeout(60):
        assert [await anext(following), await anext(following)] == [None, None]
        await _add(bench, job_id, 1, "said")
        while (event := await anext(following)) is None:
            pass
    assert event["id"] == 1
    await following.aclose()


async def test_a_process_that_stops_lets_its_followers_go(bench: CountingBench) -> None:
    job_id, stopping = await bench.add(status="running"), asyncio.Event()
    await _add(bench, job_id, 1, "said")
    following = LOG.follow(bench.database, bench.notifier, job_id, 0, HOUR, stopping.is_set)
    assert await anext(following) is not None
    stopping.set()
    assert await _rest(following) == []
