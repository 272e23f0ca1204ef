"""Inserts that give way to a row that is already there, in both databases' dialects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Column, Dialect, RowMapping, Table
from sqlalchemy.dialects import sqlite

from servicekit.sql.transaction import Transaction


def upsert(dialect: Dialect, table: Table) -> Any:
    """An insert that may say what to do on a conflict, in the database's dialect."""
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # 2.5 MB that SQLite does without

        return postgresql.insert(table)
    return sqlite.insert(table)


async def insert_if_absent(
    connection: Transaction, table: Table, values: Mapping[str, Any], unique: list[Column[Any]]
) -> bool:
    """Insert a row unless one with the same `unique` columns exists; whether it was inserted.

    Two callers at once: one inserts, the other waits for it to commit and then gets False.
    """
    return await insert_returning(connection, table, values, unique, unique[:1]) is not None


async def insert_returning(
    connection: Transaction,
    table: Table,
    values: Mapping[str, Any],
    unique: list[Column[Any]],
    columns: Iterable[Column[Any]],
) -> RowMapping | None:
    """As `insert_if_absent`; these columns of the row as it is now, null if it was there."""
    statement = upsert(connection.dialect, table).values(**values).on_conflict_do_nothing(index_elements=unique)
    result = await connection.execute(statement.returning(*columns))
    return result.mappings().first()
