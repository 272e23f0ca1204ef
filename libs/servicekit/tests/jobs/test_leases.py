from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Column, MetaData, String, Table, insert, select, update

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


async def _hold(database: Database, clock: ManualClock, owner: str) -> Lease:
    """The lease of row `a` as a claim gives it: with a fence above that of whoever had it before."""
    held = update(WORK).where(WORK.c.id == "a")
    held = held.values(lease_owner=owner, fence=WORK.c.fence + 1, lease_expires_at=clock.now() + timedelta(seconds=30))
    async with database.write() as connection:
        row = (await connection.execute(held.returning(*WORK.c))).mappings().one()
    return Lease(row["id"], owner, row["fence"])


async def test_who_had_the_lease_before_is_fenced_off(database: Database, leases: Leases, clock: ManualClock) -> None:
    old, new = await _hold(database, clock, "worker"), await _hold(database, clock, "worker")
    async with database.write() as connection:
        for write in (leases.write, leases.release):
            with pytest.raises(LeaseLost):
                await write(connection, old, {"status": "done"})
        with pytest.raises(LeaseLost):
            await leases.renew(connection, old)
        row = await leases.release(connection, new, {"status": "done"})
    assert (row["status"], row["lease_owner"], row["lease_expires_at"]) == ("done", None, None)


async def test_a_lease_that_was_given_up_writes_nothing_more(
    database: Database, leases: Leases, clock: ManualClock
) -> None:
    lease = await _hold(database, clock, "worker")
    async with database.write() as connection:
        await leases.release(connection, lease, {"status": "queued"})
        with pytest.raises(LeaseLost):
            await leases.write(connection, lease, {"status": "done"})


async def test_a_heartbeat_pushes_the_end_of_the_lease_forward(
    database: Database, leases: Leases, clock: ManualClock
) -> None:
    lease = await _hold(database, clock, "worker")
    clock.advance(20)
    async with database.write() as connection:
        await leases.renew(connection, lease)
        ends = (await connection.execute(select(WORK.c.lease_expires_at).where(WORK.c.id == "a"))).scalar_one()
    assert ends == clock.now() + timedelta(seconds=30)
