from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from libs.servicekit.tests.databases import new_database
from sqlalchemy import MetaData, select, text
from structlog.testing import capture_logs

from servicekit.backup import lock as backup_lock
from servicekit.backup.lock import BackupLock, backup_lock_table
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database, rows_of

metadata = MetaData()
HOLDS = backup_lock_table(metadata)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with new_database(tmp_path, metadata) as opened:
        yield opened


@pytest.fixture
def lock(database: Database, clock: ManualClock) -> BackupLock:
    return BackupLock(HOLDS, database, clock)


async def _rows(database: Database) -> int:
    return len(await database.read(rows_of(select(HOLDS))))


async def test_it_is_held_from_before_a_reader_begins_until_the_last_one_has_ended(
    lock: BackupLock, database: Database, clock: ManualClock
) -> None:
    of_another_process = BackupLock(HOLDS, database, clock)
    assert not await lock.is_held()
    async with lock.hold():
        assert await of_another_process.is_held()
        async with of_another_process.hold():
            assert await _rows(database) == 2
        assert await lock.is_held(), "one reader ended, the other reads on"
    assert not await lock.is_held()
    assert await _rows(database) == 0


async def test_a_reader_that_fails_or_is_cancelled_lets_go(lock: BackupLock) -> None:
    with pytest.raises(ZeroDivisionError):
        async with lock.hold():
            raise ZeroDivisionError
    assert not await lock.is_held()
    held = asyncio.Event()

    async def read() -> None:
        async with lock.hold():
            held.set()
            await asyncio.Event().wait()

    reading = asyncio.create_task(read())
    await asyncio.wait_for(held.wait(), 60)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert not await lock.is_held()


async def test_a_dead_reader_holds_nothing_up_for_long_and_its_row_goes_with_the_next(
    lock: BackupLock, database: Database, clock: ManualClock
) -> None:
    dead = lock.hold()
    await dead.__aenter__()
    clock.advance(59)
    assert await lock.is_held()
    clock.advance(1)
    assert not await lock.is_held()
    clock.advance(1)
    async with lock.hold():
        assert await _rows(database) == 1
    await dead.__aexit__(None, None, None)


async def test_a_living_reader_renews_its_hold_and_goes_on_trying_when_it_can_not(
    lock: BackupLock, database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_lock, "RENEWED_SECONDS", 0.001)

    async def renewed() -> None:
        until = clock.now() + timedelta(seconds=60)
        while [row["until"] for row in await database.read(rows_of(select(HOLDS)))] != [until]:  # noqa: ASYNC110
            await asyncio.sleep(0)

    async with asyncio.timeout(60), lock.hold():
        clock.advance(40)
        await renewed()
        with capture_logs() as logs:
            await database.write(lambda connection: connection.execute(text("ALTER TABLE holds RENAME TO away")))
            while not logs:  # noqa: ASYNC110  # the hold goes on in a task of its own
                await asyncio.sleep(0)
            await database.write(lambda connection: connection.execute(text("ALTER TABLE away RENAME TO holds")))
        assert logs[0]["event"] == "the backup lock could not be renewed"
        clock.advance(40)
        await renewed()
