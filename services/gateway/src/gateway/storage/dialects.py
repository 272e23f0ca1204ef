"""The statements that SQLAlchemy spells differently for our two databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite

from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction


async def insert_missing(
    database: Database, connection: Transaction, table: Table, rows: Sequence[Mapping[str, Any]]
) -> int:
    """Insert the rows that are not there yet, by primary or unique key; returns how many were new (of one row)."""
    dialect = sqlite if database.is_sqlite else postgresql
    statement = dialect.insert(table).on_conflict_do_nothing()
    if len(rows) == 1:
        return (await connection.execute(statement.values(**rows[0]))).rowcount
    return (await connection.execute(statement, [dict(row) for row in rows])).rowcount


def insert_if_missing(dialect: str, table: Table) -> Executable:
    """Insert rows that are not there yet."""
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def upsert(dialect: str, table: Table, where: ColumnElement[bool]) -> Executable:
    """Insert rows that are not there yet; one that is there and of which `where` is true is overwritten."""
    key = [column.name for column in table.primary_key]
    if dialect == "sqlite":
        new = sqlite.insert(table)
        return new.on_conflict_do_update(index_elements=key, set_=dict(new.excluded.items()), where=where)
    statement = postgresql.insert(table)
    return statement.on_conflict_do_update(index_elements=key, set_=dict(statement.excluded.items()), where=where)
