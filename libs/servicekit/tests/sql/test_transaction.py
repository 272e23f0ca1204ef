"""Transactions over awaits: what is a hop to the database, and what of a result is held in memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from libs.servicekit.tests.databases import new_database
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select, text, update

from servicekit.sql.database import Database, UtcTime, all_of, rows_of

metadata = MetaData()
COUNTERS = Table("counters", metadata, Column("value", Integer), Column("at", UtcTime))
MOMENT = datetime(2026, 11, 24, 12, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with new_database(tmp_path, metadata) as opened:
        await opened.write(lambda connection: connection.execute(insert(COUNTERS).values(value=0, at=MOMENT)))
        yield opened


async def test_a_function_is_one_hop_and_so_is_a_statement_of_a_block(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hops = list[int]()
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


async def test_a_statement_tells_its_rows_and_how_many_it_changed(database: Database) -> None:
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


async def test_what_a_snapshot_streams_is_not_held_in_memory(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
    counted = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
    many = text(f"{counted} SELECT i, hex(randomblob(1000)) FROM n")
    async with database.snapshot() as connection:
        gc.collect()  # else garbage of other tests is looked through, and finalised, meanwhile
        tracemalloc.start()
        rows = 0
        async for batch in connection.batches(many, 500):
            rows += len(batch)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert rows == 20_000
    assert peak < 5_000_000, "all of them together take 40 MB"


async def test_a_function_is_given_the_connection_and_its_arguments(database: Database) -> None:
    def raised(connection: Connection, by: int, *, times: int) -> int:
        for _ in range(times):
            connection.execute(update(COUNTERS).values(value=COUNTERS.c.value + by))
        value: int = connection.execute(select(COUNTERS.c.value)).scalar_one()
        return value

    async with database.write() as connection:
        assert await connection.run(raised, 3, times=2) == 6


async def test_batches_that_are_left_early_leave_the_transaction_usable(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(insert(COUNTERS), [{"value": value, "at": MOMENT} for value in range(1, 10)])
        batches = connection.batches(select(COUNTERS.c.value).order_by(COUNTERS.c.value), 4)
        assert [row["value"] for row in await anext(batches)] == [0, 1, 2, 3]
        await batches.aclose()
        await connection.execute(update(COUNTERS).values(value=7))
    assert {row["value"] for row in await database.read(rows_of(select(COUNTERS.c.value)))} == {7}


async def test_a_query_without_rows_has_no_batch(database: Database) -> None:
    async with database.read() as connection:
        assert [batch async for batch in connection.batches(select(COUNTERS).where(COUNTERS.c.value > 9), 4)] == []
