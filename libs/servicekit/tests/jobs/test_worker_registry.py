from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from libs.servicekit.tests.databases import new_database
from sqlalchemy import Column, MetaData, String, select

from servicekit.core.clock import ManualClock
from servicekit.jobs.worker_registry import WorkerRegistry, slots_alive, workers_table
from servicekit.sql.database import rows_of

metadata = MetaData()
WORKERS = workers_table(metadata, Column("reading", String(40)))


@pytest.fixture
async def registry(tmp_path: Path, clock: ManualClock) -> AsyncIterator[WorkerRegistry]:
    async with new_database(tmp_path, metadata) as database:
        yield WorkerRegistry(WORKERS, database, clock)


async def _slots(registry: WorkerRegistry) -> int:
    query = slots_alive(WORKERS, registry.clock.now())
    return await registry.database.read(lambda connection: connection.execute(query).scalar_one())


async def _known(registry: WorkerRegistry) -> set[str]:
    return {row["id"] for row in await registry.database.read(rows_of(select(WORKERS.c.id)))}


async def test_without_workers_there_are_no_slots(registry: WorkerRegistry) -> None:
    assert await _slots(registry) == 0


async def test_the_slots_of_all_workers_count_as_long_as_they_say_that_they_live(
    registry: WorkerRegistry, clock: ManualClock
) -> None:
    started = clock.now()
    await registry.announce("a", 2, started)
    await registry.announce("b", 3, started)
    assert await _slots(registry) == 5
    clock.advance(20)
    await registry.announce("b", 3, started)
    clock.advance(10)
    assert await _slots(registry) == 3, "the other has been silent for half a minute"
    clock.advance(20)
    assert await _slots(registry) == 0
    await registry.announce("a", 2, started)
    assert await _slots(registry) == 2, "and may come back"


async def test_a_worker_that_announces_itself_again_is_one_worker_since_it_started(
    registry: WorkerRegistry, clock: ManualClock
) -> None:
    started = clock.now()
    for _ in range(3):
        await registry.announce("a", 2, started, reading="v1")
        clock.advance(10)
    (row,) = await registry.database.read(rows_of(select(WORKERS)))
    assert (row["started_at"], row["reading"]) == (started, "v1")
    assert (row["seen_at"] - started).total_seconds() == 20


async def test_a_worker_that_signs_off_is_gone_at_once_and_no_other_with_it(registry: WorkerRegistry) -> None:
    for owner in ("a", "b"):
        await registry.announce(owner, 2, registry.clock.now())
    await registry.sign_off("a")
    await registry.sign_off("nobody")
    assert await _known(registry) == {"b"}


async def test_who_was_silent_for_an_hour_is_forgotten_when_another_speaks(
    registry: WorkerRegistry, clock: ManualClock
) -> None:
    await registry.announce("silent", 2, clock.now())
    clock.advance(3600)
    await registry.announce("a", 2, clock.now())
    assert await _known(registry) == {"silent", "a"}
    clock.advance(1)
    await registry.announce("a", 2, clock.now())
    assert await _known(registry) == {"a"}
