"""The backup lock: while a backup reads, what it may still have to read is not removed.

Each reader has a row that it renews, so that every process sees it and a dead reader's one ends by itself. Whoever
removes bytes that rows no longer name asks `is_held` after the rows were committed, and leaves them to a later cleanup
if it is. A reader takes the lock before its view of the rows begins, so that nothing slips between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import Column, ColumnElement, Connection, MetaData, String, Table, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from servicekit.core.clock import Clock, SystemClock
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database, UtcTime, rows_of

log = structlog.get_logger(__name__)
LENGTH = timedelta(seconds=60)
RENEWED_SECONDS = 15.0


def backup_lock_table(metadata: MetaData) -> Table:
    """The table that a service keeps its readers in."""
    return Table(
        "holds", metadata, Column("id", String(40), primary_key=True), Column("until", UtcTime, nullable=False)
    )


class BackupLock:
    """The backup lock of one database; any number of readers hold it at once."""

    def __init__(self, table: Table, database: Database, clock: Clock | None = None) -> None:
        self._table = table
        self._database = database
        self._clock = clock or SystemClock()

    async def is_held(self) -> bool:
        """Whether something is being read that must not be removed."""
        query = select(self._table.c.id).where(self._table.c.until > self._clock.now()).limit(1)
        return bool(await self._database.read(rows_of(query), at_once=True))

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold removals off until the block ends; rows of readers that died are deleted."""
        name = new_id("hold")

        def begin(connection: Connection) -> None:
            connection.execute(delete(self._table).where(self._table.c.until < self._clock.now()))
            connection.execute(insert(self._table).values(id=name, until=self._clock.now() + LENGTH))

        mine = self._table.c.id == name
        await self._database.write(begin)
        renewing = asyncio.create_task(self._renew(mine))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._database.write(lambda connection: connection.execute(delete(self._table).where(mine)))

    async def _renew(self, mine: ColumnElement[bool]) -> None:
        while True:
            await asyncio.sleep(RENEWED_SECONDS)
            longer = update(self._table).where(mine).values(until=self._clock.now() + LENGTH)
            try:
                await self._database.write(partial(Connection.execute, statement=longer))
            except (SQLAlchemyError, OSError) as error:
                log.warning("the backup lock could not be renewed", error=repr(error)[:300])
