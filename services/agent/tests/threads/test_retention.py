from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from agent.bootstrap import MIGRATIONS
from agent.tables import CHECKPOINTS, EVENTS, IDEMPOTENCY, MESSAGES, RUNS, THREADS, metadata
from agent.threads import repository as threads
from agent.threads import retention
from agent.threads.repository import Viewer
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

DAY = 86_400

BLOB = {"ns": "", "id": "1", "kind": "msgpack", "checkpoint": b"x", "metadata": {}}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database.open(None, tmp_path, "agent")
    await migrate(database, MIGRATIONS)
    yield database
    await database.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def thread(database: Database, clock: ManualClock, tenant: str, status: str) -> str:
    """A thread with a message, a run, its event and its checkpoint."""
    async with database.write() as connection:
        made = await threads.create_thread(connection, Viewer(tenant, f"key-{tenant}"), {}, clock.now())
        run = {"id": f"run-{made.id[-20:]}", "tenant": tenant, "thread_id": made.id, "agent": "a", "agent_version": 1}
        times = {"created_at": clock.now(), "queued_at": clock.now()}
        facts = {"status": status, "input": "?", "request_id": "r", "grant_key_id": "k", **times}
        await connection.execute(insert(RUNS).values(**run, **facts))
        await threads.append_messages(connection, made.id, run["id"], [{"role": "user", "content": "?"}], clock.now())
        told = {"run_id": run["id"], "id": 1, "type": "t", "data": {}, "created_at": clock.now()}
        await connection.execute(insert(EVENTS).values(**told))
        await connection.execute(insert(CHECKPOINTS).values(thread_id=run["id"], **BLOB))
    return made.id


async def counts(database: Database) -> dict[str, int]:
    async with database.read() as connection:
        tables = (THREADS, RUNS, MESSAGES, EVENTS, CHECKPOINTS, IDEMPOTENCY)
        counted = {each.name: select(func.count()).select_from(each) for each in tables}
        return {name: (await connection.execute(query)).scalar_one() for name, query in counted.items()}


async def test_threads_that_nobody_wrote_to_go_with_all_that_is_in_them_unless_a_run_is_live(
    database: Database, clock: ManualClock
) -> None:
    old = [await thread(database, clock, "acme", "completed") for _ in range(120)]  # more than go at once
    await thread(database, clock, "acme", "running")
    clock.advance(10 * DAY)
    await thread(database, clock, "acme", "completed")
    async with database.write() as connection:
        await connection.execute(update(THREADS).where(THREADS.c.id == old[0]).values(updated_at=clock.now()))
    assert await retention.prune_threads(database, clock.now() - timedelta(days=5)) == 119
    left = await counts(database)
    assert {left[name] for name in ("threads", "runs", "messages", "run_events", "checkpoints")} == {3}


async def test_a_deleted_tenant_has_no_row_left_and_others_have_all_of_theirs(
    database: Database, clock: ManualClock
) -> None:
    for status in ("completed", "running", "waiting_approval"):
        await thread(database, clock, "acme", status)
    await thread(database, clock, "other", "completed")
    kept = {"route": "r", "key": "i", "fingerprint": "f", "created_at": clock.now()}
    async with database.write() as connection:
        await connection.execute(insert(IDEMPOTENCY), [{"key_id": f"key-{name}", **kept} for name in ("acme", "other")])
    await retention.delete_tenant(database, "acme", ["key-acme"])
    assert set((await counts(database)).values()) == {1}
    async with database.read() as connection:
        for table in metadata.sorted_tables:
            assert not [row for row in await connection.execute(select(table)) if "acme" in str(row)]
