from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Column, MetaData, Select, String, Table, insert, select

from servicekit.core.clock import ManualClock
from servicekit.jobs.leases import Lease, LeaseLost, Leases, lease_columns
from servicekit.sql.database import Database

metadata = MetaData()
WORK = Table(
    "work", metadata, Column("id", String(40), primary_key=True), Column("status", String(20)), *lease_columns()
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database.open(None, tmp_path, "leases")
    async with database.write() as connection:
        await connection.run(metadata.create_all)
        await connection.execute(insert(WORK), [{"id": "a", "status": "queued"}, {"id": "b", "status": "queued"}])
    yield database
    await database.close()


@pytest.fixture
def leases(clock: ManualClock) -> Leases:
    return Leases(WORK, clock, timedelta(seconds=30))


def _next(leases: Leases) -> Select[tuple[str]]:
    return select(WORK.c.id).where(leases.claimable(), WORK.c.status != "done").order_by(WORK.c.id).limit(1)


async def _claim(database: Database, leases: Leases, owner: str) -> Lease | None:
    async with database.write() as connection:
        claimed = await leases.claim(connection, _next(leases), owner, {"status": "running"})
    return claimed[0] if claimed else None


async def test_each_row_goes_to_one_worker_only(database: Database, leases: Leases) -> None:
    claims = await asyncio.gather(*(_claim(database, leases, f"worker-{number}") for number in range(6)))
    assert sorted(lease.id for lease in claims if lease) == ["a", "b"]


async def test_an_expired_lease_is_claimed_again_and_the_old_holder_is_fenced_off(
    database: Database, leases: Leases, clock: ManualClock
) -> None:
    old = await _claim(database, leases, "old")
    clock.advance(31)
    new = await _claim(database, leases, "new")
    assert old is not None
    assert new is not None
    assert (old.id, new.fence) == (new.id, old.fence + 1)
    async with database.write() as connection:
        with pytest.raises(LeaseLost):
            await leases.write(connection, old, {"status": "done"})
        row = await leases.release(connection, new, {"status": "done"})
    assert (row["status"], row["lease_owner"], row["attempts"]) == ("done", None, 2)


async def test_a_heartbeat_keeps_the_lease(database: Database, leases: Leases, clock: ManualClock) -> None:
    lease = await _claim(database, leases, "steady")
    assert lease is not None
    for _ in range(3):
        clock.advance(20)
        async with database.write() as connection:
            await leases.renew(connection, lease)
    other = await _claim(database, leases, "other")
    assert other is not None
    assert other.id != lease.id


async def test_a_row_whose_time_has_not_come_is_left_alone(
    database: Database, leases: Leases, clock: ManualClock
) -> None:
    lease = await _claim(database, leases, "one")
    assert lease is not None
    async with database.write() as connection:
        await leases.release(connection, lease, {"status": "queued", "not_before": clock.now() + timedelta(seconds=5)})
    second = await _claim(database, leases, "two")
    assert second is not None
    assert second.id == "b"
    assert await _claim(database, leases, "three") is None
    clock.advance(5)
    third = await _claim(database, leases, "three")
    assert third is not None
    assert third.id == "a"
