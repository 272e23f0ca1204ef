"""Rows that PostgreSQL gives in batches: no more are read than are asked for, and each is what a plain read gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import JSON, Column, Integer, LargeBinary, MetaData, String, Table, func, insert, select, text, union
from tests.support.home.postgres import postgres_installed, temporary_postgres

from servicekit.sql.database import Database

pytestmark = pytest.mark.skipif(not postgres_installed(), reason="PostgreSQL is not installed")

THINGS = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("order", String(20)),
    Column("about", JSON(none_as_null=True)),
    Column("content", LargeBinary),
)
ROWS: list[dict[str, Any]] = [
    {"id": at, "order": f"'{at}%' $1 :x", "about": {"at": [at]} if at % 2 else None, "content": bytes([at])}
    for at in range(10)
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with temporary_postgres() as url:
        yield url


@pytest.fixture
async def database(url: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = Database.open(SecretStr(url), tmp_path, "things")
    async with database.write() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS things"))
        await connection.execute(text("DROP SEQUENCE IF EXISTS given"))
        await connection.execute(text("CREATE SEQUENCE given"))
        await connection.run(THINGS.create)
        await connection.execute(insert(THINGS), ROWS)
    try:
        yield database
    finally:
        await database.close()


async def test_no_more_rows_are_read_than_are_asked_for(database: Database) -> None:
    read = []
    many = select(func.nextval("given").label("at")).select_from(func.generate_series(1, 1000))
    async with database.write() as connection:
        async for batch in connection.batches(many, 4):
            read.append((len(batch), (await connection.execute(text("SELECT last_value FROM given"))).scalar_one()))
            if len(read) == 3:
                break
    assert read == [(4, 4), (4, 8), (4, 12)]


async def test_rows_come_as_a_plain_read_has_them(database: Database) -> None:
    odd = select(THINGS).where(THINGS.c.order != "'3%' $1 :x").order_by(THINGS.c.id)
    async with database.read() as connection:
        batches = [[dict(row) for row in batch] async for batch in connection.batches(odd, 4)]
        keys = union(select(THINGS.c.order), select(THINGS.c.order))
        named = [row["order"] async for batch in connection.batches(keys, 3) for row in batch]
    assert [len(batch) for batch in batches] == [4, 4, 1]
    assert [row for batch in batches for row in batch] == [row for row in ROWS if row["id"] != 3]
    assert sorted(named) == [row["order"] for row in ROWS]


async def test_queries_are_read_beside_one_another_and_left_early(database: Database) -> None:
    async with database.write() as connection:
        ids = connection.batches(select(THINGS.c.id).order_by(THINGS.c.id), 4)
        names = connection.batches(select(THINGS.c.order).order_by(THINGS.c.id), 4)
        assert [row["id"] for row in await anext(ids)] == [0, 1, 2, 3]
        assert [row["order"] for row in await anext(names)] == [row["order"] for row in ROWS[:4]]
        await names.aclose()
        assert [row["id"] for row in await anext(ids)] == [4, 5, 6, 7]
        await ids.aclose()
        await connection.execute(THINGS.delete())
    async with database.read() as connection:
        assert [batch async for batch in connection.batches(select(THINGS), 4)] == []
