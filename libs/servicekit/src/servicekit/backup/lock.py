"""Holds: while a backup reads, what it may still have to read is not removed.

A hold is a row that its reader renews, so that every process sees it and a dead reader's one ends by itself. Whoever
removes bytes that rows no longer name asks `any` after the rows were committed, and leaves them to a later sweep if
there is one. A reader takes its hold before its view of the rows begins, so that nothing slips between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from sqlalchemy import Column, MetaData, String, Table, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from servicekit.core.clock import Clock, SystemClock
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database, UtcTime, rows_of

log = structlog.get_logger(__name__)
TABLE = "holds"
LENGTH = timedelta(seconds=60)
RENEWED_SECONDS = 15.0


def holds_table(metadata: MetaData) -> Table:
    """The table that a service keeps its holds in."""
    return Table(TABLE, metadata, Column("id", String(40), primary_key=True), Column("until", UtcTime, nullable=False))


class Holds:
    """The holds of one database."""

    def __init__(self, table: Table, database: Database, clock: Clock | None = None) -> None:
        self._table = table
        self._database = database
        self._clock = clock or SystemClock()

    async def any(self) -> bool:
        """Whether something is being read that must not be removed."""
        query = select(self._table.c.id).where(self._table.c.until > self._clock.now()).limit(1)
        return bool(await self._database.read(rows_of(query), at_once=True))

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold removals off until the block ends; those of readers that died are forgotten."""
        name = new_id("hold")
        async with self._database.write() as connection:
            await connection.execute(delete(self._table).where(self._table.c.until < self._clock.now()))
            await connection.execute(insert(self._table).values(id=name, until=self._clock.now() + LENGTH))
        renewing = asyncio.create_task(self._renew(name))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            async with self._database.write() as connection:
                await connection.execute(delete(self._table).where(self._table.c.id == name))

    async def _renew(self, name: str) -> None:
        while True:
            await asyncio.sleep(RENEWED_SECONDS)
            mine = update(self._table).where(self._table.c.id == name)
            try:
                async with self._database.write() as connection:
                    await connection.execute(mine.values(until=self._clock.now() + LENGTH))
            except (SQLAlchemyError, OSError) as error:
                log.warning("a hold could not be renewed", error=repr(error)[:300])
