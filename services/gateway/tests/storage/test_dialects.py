from __future__ import annotations

from typing import Any

from sqlalchemy import select, true
from sqlalchemy.dialects import postgresql

from gateway.storage.dialects import insert_if_missing, insert_missing, upsert
from gateway.storage.tables import installation
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


def _row(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value, "at": ManualClock().now()}


async def _values(database: Database) -> dict[str, str]:
    query = select(installation.c.name, installation.c.value)
    return await database.read(lambda connection: {row.name: row.value for row in connection.execute(query)})


async def test_what_is_there_stays_as_it_is_and_only_a_new_row_is_counted(database: Database) -> None:
    async with database.write() as connection:
        assert await insert_missing(database, connection, installation, [_row("a", "first")]) == 1
        assert await insert_missing(database, connection, installation, [_row("a", "second")]) == 0
        await insert_missing(database, connection, installation, [_row("a", "third"), _row("b", "new")])
    assert await _values(database) == {"a": "first", "b": "new"}


async def test_rows_that_are_there_do_not_fail_those_that_are_not(database: Database) -> None:
    statement = insert_if_missing("sqlite", installation)
    async with database.write() as connection:
        for _ in range(2):
            await connection.execute(statement, [_row("a", "1"), _row("b", "2")])
    assert await _values(database) == {"a": "1", "b": "2"}


async def test_only_a_row_of_which_the_condition_is_true_is_overwritten(database: Database) -> None:
    statement = upsert("sqlite", installation, installation.c.value == "estimate")
    async with database.write() as connection:
        await connection.execute(statement, [_row("a", "estimate"), _row("b", "known")])
        await connection.execute(statement, [_row("a", "now known"), _row("b", "late"), _row("c", "new")])
    assert await _values(database) == {"a": "now known", "b": "known", "c": "new"}


def test_postgresql_is_told_the_same_in_its_own_words() -> None:
    for statement, words in (
        (insert_if_missing("postgresql", installation), "ON CONFLICT DO NOTHING"),
        (upsert("postgresql", installation, true()), "ON CONFLICT (name) DO UPDATE SET name = excluded.name"),
    ):
        assert words in str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[attr-defined,no-untyped-call]
