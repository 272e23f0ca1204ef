from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from libs.servicekit.tests.databases import new_database
from sqlalchemy import Column, Integer, MetaData, String, Table, select
from sqlalchemy.exc import IntegrityError

from servicekit.sql.database import Database, rows_of
from servicekit.sql.upserts import insert_if_absent, insert_returning

metadata = MetaData()
PETS = Table(
    "pets",
    metadata,
    Column("tenant", String(40), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("legs", Integer, nullable=False, server_default="4"),
)
UNIQUE = [PETS.c.tenant, PETS.c.name]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with new_database(tmp_path, metadata) as opened:
        yield opened


async def _insert(database: Database, tenant: str, name: str, **more: int) -> bool:
    async with database.write() as connection:
        return await insert_if_absent(connection, PETS, {"tenant": tenant, "name": name, **more}, UNIQUE)


async def _legs(database: Database) -> dict[str, int]:
    return {f"{row['tenant']}/{row['name']}": row["legs"] for row in await database.read(rows_of(select(PETS)))}


async def test_a_row_that_is_there_stays_as_it_is(database: Database) -> None:
    assert await _insert(database, "acme", "rex", legs=3)
    assert not await _insert(database, "acme", "rex", legs=5)
    assert await _insert(database, "other", "rex")
    assert await _legs(database) == {"acme/rex": 3, "other/rex": 4}


async def test_of_many_at_once_one_inserts(database: Database) -> None:
    inserted = await asyncio.gather(*(_insert(database, "acme", "rex", legs=number) for number in range(8)))
    assert sorted(inserted) == [False] * 7 + [True]
    assert await _legs(database) == {"acme/rex": inserted.index(True)}


async def test_what_the_database_made_of_a_new_row_is_told_and_nothing_of_one_that_was_there(
    database: Database,
) -> None:
    values = {"tenant": "acme", "name": "rex"}
    async with database.write() as connection:
        row = await insert_returning(connection, PETS, values, UNIQUE, [PETS.c.legs, PETS.c.name])
        assert dict(row or {}) == {"legs": 4, "name": "rex"}
        assert await insert_returning(connection, PETS, values, UNIQUE, [PETS.c.legs]) is None


async def test_what_else_is_wrong_with_a_row_is_not_taken_for_one_that_is_there(database: Database) -> None:
    async with database.write() as connection:
        with pytest.raises(IntegrityError):
            await insert_if_absent(connection, PETS, {"tenant": "acme", "name": "rex", "legs": None}, UNIQUE)
