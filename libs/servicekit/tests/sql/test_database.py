from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, bindparam, insert, select, text, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from servicekit.sql import sqlite
from servicekit.sql.database import Database, UnstorableText, UtcTime, all_of, rows_of

metadata = MetaData()
COUNTERS = Table("counters", metadata, Column("value", Integer), Column("at", UtcTime))
MOMENT = datetime(2026, 11, 24, 12, 30, 15, 123456, tzinfo=UTC)


async def _open(folder: Path) -> Database:
    database = Database.open(None, folder, "counters")
    async with database.write() as connection:
        await connection.run(metadata.create_all)
        await connection.execute(insert(COUNTERS).values(value=0, at=MOMENT))
    return database


async def test_concurrent_writers_wait_for_one_another(tmp_path: Path) -> None:
    databases = [await _open(tmp_path), Database.open(None, tmp_path, "counters")]

    async def increment(database: Database) -> None:
        async with database.write() as connection:
            seen = (await connection.execute(select(COUNTERS.c.value))).scalar_one()
            await connection.execute(update(COUNTERS).values(value=seen + 1))

    await asyncio.gather(*(increment(database) for database in databases for _ in range(40)))
    async with databases[0].read() as connection:
        assert (await connection.execute(select(COUNTERS.c.value))).scalar_one() == 80
    for database in databases:
        await database.close()


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

        monkeypatch.setattr(sqlite.time, "sleep", pause)
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


async def test_a_failed_block_leaves_nothing_behind(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    with pytest.raises(ZeroDivisionError):
        async with database.write() as connection:
            await connection.execute(update(COUNTERS).values(value=7))
            _ = 1 / 0
    async with database.read() as connection:
        assert (await connection.execute(select(COUNTERS.c.value, COUNTERS.c.at))).one() == (0, MOMENT)
    await database.close()


async def test_writes_are_on_disk_when_they_return(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    async with database.read() as connection:
        synchronous = (await connection.execute(text("PRAGMA synchronous"))).scalar_one()
        journal = (await connection.execute(text("PRAGMA journal_mode"))).scalar_one()
    assert (synchronous, journal) == (2, "wal")
    await database.close()


async def test_a_read_sees_what_was_written_before_it(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    for value in range(1, 30):
        async with database.write() as connection:
            await connection.execute(update(COUNTERS).values(value=value))
        assert [dict(row) for row in await database.read(rows_of(select(COUNTERS)))] == [{"value": value, "at": MOMENT}]
    await database.close()


async def test_reads_do_not_wait_for_a_writer_nor_see_what_is_not_committed(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    async with database.write() as connection:
        await connection.execute(update(COUNTERS).values(value=7))
        seen = await asyncio.gather(*(database.read(rows_of(select(COUNTERS.c.value))) for _ in range(20)))
    assert {rows[0]["value"] for rows in seen} == {0}
    await database.close()


async def test_a_read_cannot_write(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    with pytest.raises(OperationalError, match="readonly"):
        await database.read(rows_of(update(COUNTERS).values(value=9).returning(COUNTERS.c.value)))  # type: ignore[arg-type]
    await database.close()


async def test_a_look_sees_what_was_committed_and_waits_for_no_writer(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    for value in range(1, 30):
        async with database.write() as connection:
            await connection.execute(update(COUNTERS).values(value=value))
            assert [row["value"] for row in await database.read(rows_of(select(COUNTERS.c.value)), at_once=True)] == [
                value - 1
            ]
        assert [row["value"] for row in await database.read(rows_of(select(COUNTERS.c.value)), at_once=True)] == [value]
    with pytest.raises(OperationalError, match="readonly"):
        await database.read(rows_of(update(COUNTERS).values(value=9).returning(COUNTERS.c.value)), at_once=True)  # type: ignore[arg-type]
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


async def test_a_function_is_one_hop_and_so_is_a_statement_of_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, hops = await _open(tmp_path), list[int]()
    submit = ThreadPoolExecutor.submit

    def counted(self: ThreadPoolExecutor, *work: Any, **options: Any) -> Any:
        hops.append(1)
        return submit(self, *work, **options)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", counted)
    async with database.write() as connection:
        await connection.execute(update(COUNTERS).values(value=3))
        await connection.execute(select(COUNTERS))
    assert len(hops) == 4, "begin, two statements, commit"
    hops.clear()
    await database.write(all_of([(update(COUNTERS), [{"value": 4}])] * 2))
    await database.read(rows_of(select(COUNTERS)))
    assert len(hops) == 2
    hops.clear()
    await database.read(rows_of(select(COUNTERS)), at_once=True)
    assert not hops
    await database.close()


async def test_a_statement_tells_its_rows_and_how_many_it_changed(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    async with database.write() as connection:
        await connection.execute(insert(COUNTERS), [{"value": value, "at": MOMENT} for value in range(1, 2500)])
        changed = await connection.execute(update(COUNTERS).where(COUNTERS.c.value >= 2000).values(value=-1))
        assert changed.rowcount == 500
        gone = update(COUNTERS).where(COUNTERS.c.value == -1).values(value=-2).returning(COUNTERS.c.value)
        assert [row.value for row in await connection.execute(gone)] == [-2] * 500
        none = await connection.execute(update(COUNTERS).where(COUNTERS.c.value == 77_777).values(value=0))
        assert none.rowcount == 0
    async with database.read() as connection:
        batches = [batch async for batch in connection.batches(select(COUNTERS.c.value), 1000)]
        assert [len(batch) for batch in batches] == [1000, 1000, 500]
    await database.close()


async def test_a_moment_beyond_all_years_can_be_read(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    for seconds, year in ((253_402_351_199.0, 9999), (-62_135_650_000.0, 1)):
        async with database.write() as connection:
            await connection.execute(text("UPDATE counters SET at = :at"), {"at": seconds})
        assert (await database.read(rows_of(select(COUNTERS))))[0]["at"].year == year
    await database.close()


async def test_a_text_that_no_encoding_has_is_the_callers_fault(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    named = select(COUNTERS).where(COUNTERS.c.value.cast(String) == bindparam("name"))
    for at_once in (False, True):
        with pytest.raises(UnstorableText):
            await database.read(rows_of(named, {"name": "\ud800"}), at_once=at_once)
    for block in (database.read, database.write):
        with pytest.raises(UnstorableText):
            async with block() as connection:
                await connection.execute(named, {"name": "\ud800"})
    assert await database.read(rows_of(named, {"name": "0"}))
    await database.close()


async def test_what_a_snapshot_streams_is_not_held_in_memory(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
    counted = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
    many = text(f"{counted} SELECT i, hex(randomblob(1000)) FROM n")
    async with database.snapshot() as connection:
        tracemalloc.start()
        rows = 0
        async for batch in connection.batches(many, 500):
            rows += len(batch)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert rows == 20_000
    assert peak < 5_000_000, "all of them together take 40 MB"
    await database.close()


async def test_a_statement_that_fails_or_is_given_up_leaves_its_connection_usable(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    endless = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n"
    )
    for _ in range(20):  # more than the pool has connections
        with pytest.raises(OperationalError):
            async with database.write() as connection:
                await connection.execute(update(COUNTERS).values(value=9))
                await connection.execute(text("SELECT nothing FROM nowhere"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), database.write() as connection:
            await connection.execute(update(COUNTERS).values(value=9))
            await connection.execute(endless)
    async with database.write() as connection:
        assert (await connection.execute(select(COUNTERS.c.value))).scalar_one() == 0
        await connection.execute(update(COUNTERS).values(value=1))
    assert (await database.read(rows_of(select(COUNTERS.c.value))))[0]["value"] == 1
    await database.close()


async def test_a_transaction_in_its_own_thread_is_whole_or_not_there(tmp_path: Path) -> None:
    database = await _open(tmp_path)

    def broken(connection: Connection) -> None:
        connection.execute(update(COUNTERS).values(value=7))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(broken)
    assert [row["value"] for row in await database.read(rows_of(select(COUNTERS.c.value)))] == [0]
    raised = update(COUNTERS).values(value=COUNTERS.c.value + 1).returning(COUNTERS.c.value)
    assert await database.write(lambda connection: connection.execute(raised).scalar_one()) == 1
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
