"""The one statement that SQLAlchemy spells differently for our two databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from servicekit.sql import Database


async def insert_new(
    database: Database, connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> int:
    """Insert the rows that are not there yet, by primary or unique key; returns how many were new (of one row)."""
    dialect = sqlite if database.is_sqlite else postgresql
    statement = dialect.insert(table).on_conflict_do_nothing()
    if len(rows) == 1:
        return (await connection.execute(statement.values(**rows[0]))).rowcount
    return (await connection.execute(statement, [dict(row) for row in rows])).rowcount
