from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from libs.servicekit.tests.databases import new_database
from sqlalchemy import Column, MetaData, String, Table, insert, select

from servicekit.core.clock import ManualClock
from servicekit.sql import retention
from servicekit.sql.database import Database, UtcTime, rows_of
from servicekit.sql.retention import prune

metadata = MetaData()
NOTES = Table(
    "notes",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(40), nullable=False),
    Column("at", UtcTime),
)
KEY, AT = NOTES.c.id, NOTES.c.at


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with new_database(tmp_path, metadata) as opened:
        yield opened


async def _add(database: Database, clock: ManualClock, **ages: float | None) -> None:
    rows = [
        {"id": name, "tenant": name[0], "at": None if age is None else clock.now() - timedelta(seconds=age)}
        for name, age in ages.items()
    ]
    await database.write(lambda connection: connection.execute(insert(NOTES), rows))


async def _left(database: Database) -> set[str]:
    return {row["id"] for row in await database.read(rows_of(select(KEY)))}


async def test_older_rows_go_and_those_of_the_very_moment_later_and_without_a_time_stay(
    database: Database, clock: ManualClock
) -> None:
    await _add(database, clock, old=61, edge=60, young=59, timeless=None)
    assert await prune(database, KEY, AT, clock.now() - timedelta(seconds=60)) == 1
    assert await _left(database) == {"edge", "young", "timeless"}


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
async def test_all_of_them_go_however_many_at_a_time(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(retention, "ROWS", 3)
    await _add(database, clock, stays=0, **{f"old{number}": 10 for number in range(count)})
    assert await prune(database, KEY, AT, clock.now()) == count
    assert await _left(database) == {"stays"}


async def test_only_the_rows_that_are_meant_go(database: Database, clock: ManualClock) -> None:
    await _add(database, clock, a1=10, a2=10, b1=10)
    assert await prune(database, KEY, AT, clock.now(), NOTES.c.tenant == "a", KEY != "a2") == 1
    assert await _left(database) == {"a2", "b1"}
