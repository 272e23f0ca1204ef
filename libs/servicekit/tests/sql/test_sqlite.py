"""One SQLite file: turns to write, locks of other processes, and callers that leave."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select, text, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from servicekit.sql import sqlite
from servicekit.sql.database import Database, all_of, rows_of

metadata = MetaData()
COUNTERS = Table("counters", metadata, Column("value", Integer))


async def _open(folder: Path) -> Database:
    database = Database.open(None, folder, "counters")
    async with database.write() as connection:
        await connection.run(metadata.create_all)
        await connection.execute(insert(COUNTERS).values(value=0))
    return database


async def test_writers_of_one_process_take_their_turn_as_they_came(tmp_path: Path) -> None:
    database, served = await _open(tmp_path), []

    async def in_a_block(number: int) -> None:
        async with database.write() as connection:
            await connection.execute(update(COUNTERS).values(value=number))
            served.append(number)

    async def at_once(number: int) -> None:
        await database.write(lambda connection: served.append(number))

    async with database.write():
        waiting = []
        for number in range(12):
            waiting.append(asyncio.create_task((at_once if number % 3 else in_a_block)(number)))
            await asyncio.sleep(0)
        waiting.pop(4).cancel()
    await asyncio.gather(*waiting)
    assert served == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    await database.close()


@pytest.mark.parametrize("way", ["a block", "at once"])
async def test_a_file_that_another_process_writes_is_looked_at_every_millisecond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    database, pauses = await _open(tmp_path), []
    file = database.sqlite_file
    assert file is not None
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 20:
                other.execute("COMMIT")

        monkeypatch.setattr("servicekit.sql.sqlite.time.sleep", pause)
        if way == "a block":
            async with database.write() as connection:
                await connection.execute(update(COUNTERS).values(value=3))
                timeout = (await connection.execute(text("PRAGMA busy_timeout"))).scalar_one()
        else:
            await database.write(all_of([(update(COUNTERS), [{"value": 3}])]))
            timeout = 15_000
        assert (pauses, timeout) == ([0.001] * 20, 15_000)
        assert other.execute("SELECT value FROM counters").fetchone() == (3,)
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0)
        with pytest.raises(OperationalError, match="locked"):
            async with database.write():
                pass
    await database.close()


async def test_a_turn_to_write_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await _open(tmp_path)
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    async with database.write():
        with pytest.raises(SQLAlchemyError, match=r"No turn to write within 0\.05 s\."):
            await database.write(all_of([]))
    await database.write(all_of([(update(COUNTERS), [{"value": 3}])]))
    assert [row["value"] for row in await database.read(rows_of(select(COUNTERS.c.value)))] == [3]
    await database.close()


async def test_writes_are_on_disk_when_they_return(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    async with database.read() as connection:
        synchronous = (await connection.execute(text("PRAGMA synchronous"))).scalar_one()
        journal = (await connection.execute(text("PRAGMA journal_mode"))).scalar_one()
    assert (synchronous, journal) == (2, "wal")
    await database.close()


async def test_a_look_that_meets_a_locked_file_waits_and_holds_nobody_up(tmp_path: Path) -> None:
    first = await _open(tmp_path)
    file = first.sqlite_file
    assert file is not None
    await first.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as owner:
        owner.execute("PRAGMA locking_mode=EXCLUSIVE")
        owner.execute("BEGIN IMMEDIATE")
        database = Database.open(None, tmp_path, file.stem)
        waiting = asyncio.create_task(database.read(rows_of(select(COUNTERS.c.value)), at_once=True))
        await asyncio.wait({waiting}, timeout=0.1)
        assert not waiting.done()
    assert [row["value"] for row in await waiting] == [0]
    await database.close()


async def test_a_cancelled_caller_waits_until_its_transaction_has_ended(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    under_way, may_end = threading.Event(), threading.Event()

    def held(connection: Connection) -> None:
        connection.execute(update(COUNTERS).values(value=7))
        under_way.set()
        assert may_end.wait(60)

    task = asyncio.create_task(database.write(held))
    await asyncio.to_thread(under_way.wait, 60)
    task.cancel()
    await asyncio.wait({task}, timeout=0.05)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [row["value"] for row in await database.read(rows_of(select(COUNTERS.c.value)))] == [7]
    await database.close()


async def test_a_caller_that_is_cancelled_again_leaves_no_lock_behind(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    file = database.sqlite_file
    assert file is not None
    under_way, may_end = threading.Event(), threading.Event()

    def held(connection: Connection) -> None:
        under_way.set()
        assert may_end.wait(60)

    async def write() -> None:
        async with database.write() as connection:
            await connection.execute(update(COUNTERS).values(value=7))

    gc.disable()  # which could end a forgotten transaction
    try:
        tasks = [asyncio.create_task(database.write(held)), asyncio.create_task(write())]
        await asyncio.to_thread(under_way.wait, 60)
        for task in tasks:
            for _ in range(2):
                task.cancel()
                await asyncio.wait({task}, timeout=0.05)
        may_end.set()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        with closing(sqlite3.connect(file, isolation_level=None, timeout=1)) as other:
            other.execute("BEGIN IMMEDIATE")
    finally:
        gc.enable()
    await database.close()


async def test_a_look_waits_for_no_locked_file_on_a_connection_that_a_block_had(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    async with database.read() as connection:
        await connection.execute(select(COUNTERS))
    assert (await database.read(rows_of(text("PRAGMA busy_timeout")), at_once=True))[0]["timeout"] == 0
    await database.close()


def _files_with(folder: Path, words: bytes) -> list[str]:
    return [file.name for file in folder.iterdir() if words in file.read_bytes()]


async def test_what_was_deleted_leaves_the_disk(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE words (word TEXT)"))
        await connection.execute(text("INSERT INTO words VALUES ('a secret of somebody')"))
    await database.write(lambda connection: connection.execute(text("DELETE FROM words")))
    assert _files_with(tmp_path, b"a secret of somebody") != []
    await database.clean()
    assert _files_with(tmp_path, b"a secret of somebody") == []
    await database.close()
