"""Rows that are kept for a time only: removed some at a time, so that no writer waits for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, ColumnElement, delete, select

from servicekit.sql.database import Database

ROWS = 1000
DAY_SECONDS = 86_400.0


async def prune(
    database: Database, key: Column[str], at: Column[datetime], before: datetime, *which: ColumnElement[bool]
) -> int:
    """Remove the rows of `key`'s table that are older; returns how many there were. Rows without a time stay."""
    table, count = key.table, 0
    some = select(key).where(at < before, *which).limit(ROWS)
    expired = delete(table).where(key.in_(some)).returning(key)
    while True:
        gone = await database.write(lambda connection: connection.execute(expired).all())
        count += len(gone)
        if len(gone) < ROWS:
            return count
