from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from services.retriever.tests.conftest import Bench
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from retriever.catalog.tables import collections, documents, generations, metadata
from servicekit.sql.database import Database


async def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.read() as connection:
        assert await connection.run(differences) == []


async def generation(bench: Bench, state: str, number: int) -> dict[str, Any]:
    """A row beside a collection's active one."""
    async with bench.parts.database.read() as connection:
        row = (await connection.execute(select(generations))).mappings().first()
    assert row is not None
    return {**row, "number": number, "state": state, "key": f"k{number}", "physical_name": f"p{number}"}


@pytest.mark.parametrize(
    ("states", "fits"),
    [
        (["building"], True),
        (["building", "building"], False),
        (["active"], False),
        (["retired", "retired", "dropped", "building"], True),
    ],
)
async def test_one_generation_serves_one_is_built_and_any_number_is_over(
    bench: Bench, states: list[str], fits: bool
) -> None:
    await bench.create()
    rows = [await generation(bench, state, number) for number, state in enumerate(states, 2)]
    if fits:
        async with bench.parts.database.write() as connection:
            await connection.execute(insert(generations), rows)
    else:
        with pytest.raises(IntegrityError):
            async with bench.parts.database.write() as connection:
                await connection.execute(insert(generations), rows)


async def test_a_key_builds_one_generation_for_ever(bench: Bench) -> None:
    await bench.create()
    row = await generation(bench, "dropped", 2)
    with pytest.raises(IntegrityError):
        async with bench.parts.database.write() as connection:
            await connection.execute(insert(generations), [row, {**row, "number": 3, "physical_name": "p3"}])


async def test_what_is_known_of_a_collection_goes_with_it(bench: Bench) -> None:
    await bench.index(await bench.create(), "d", 1, ["One."])
    async with bench.parts.database.write() as connection:
        await connection.execute(collections.delete())
        left = [len((await connection.execute(select(table))).all()) for table in (generations, documents)]
    assert left == [0, 0]
