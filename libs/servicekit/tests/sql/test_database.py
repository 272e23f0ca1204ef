from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, bindparam, insert, select, text, update
from sqlalchemy.exc import OperationalError

from servicekit.sql.database import Database, UnstorableText, UtcTime, rows_of

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


async def test_a_failed_block_leaves_nothing_behind(tmp_path: Path) -> None:
    database = await _open(tmp_path)
    with pytest.raises(ZeroDivisionError):
        async with database.write() as connection:
            await connection.execute(update(COUNTERS).values(value=7))
            _ = 1 / 0
    async with database.read() as connection:
        assert (await connection.execute(select(COUNTERS.c.value, COUNTERS.c.at))).one() == (0, MOMENT)
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
