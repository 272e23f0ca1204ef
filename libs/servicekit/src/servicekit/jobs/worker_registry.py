"""Which workers live: each says so every few seconds, so that waiting jobs can tell what they wait for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Select, String, Table, delete, func, select, update

from servicekit.core.clock import Clock
from servicekit.sql.database import Database, UtcTime
from servicekit.sql.upserts import insert_if_absent

ALIVE = timedelta(seconds=30)
FORGOTTEN = timedelta(hours=1)
ANNOUNCE_SECONDS = 10.0


def workers_table(metadata: MetaData, *more: Column[Any]) -> Table:
    """The table that workers announce themselves in, with what else a service wants to know of each."""
    return Table(
        "workers",
        metadata,
        Column("id", String(100), primary_key=True),
        Column("slots", Integer, nullable=False),
        *more,
        Column("started_at", UtcTime, nullable=False),
        Column("seen_at", UtcTime, nullable=False),
    )


@dataclass(frozen=True)
class WorkerRegistry:
    """The workers of one database."""

    table: Table
    database: Database
    clock: Clock

    async def announce(self, owner: str, slots: int, started_at: datetime, **more: Any) -> None:
        """Say that a worker lives; workers that were silent for an hour are deleted."""
        table, now = self.table, self.clock.now()
        row = {"id": owner, "slots": slots, "started_at": started_at, "seen_at": now, **more}
        async with self.database.write() as connection:
            if not await insert_if_absent(connection, table, row, [table.c.id]):
                await connection.execute(update(table).where(table.c.id == owner).values(seen_at=now))
            await connection.execute(delete(table).where(table.c.seen_at < now - FORGOTTEN))

    async def sign_off(self, owner: str) -> None:
        """The worker ends."""
        await self.database.write(
            lambda connection: connection.execute(delete(self.table).where(self.table.c.id == owner))
        )


def slots_alive(workers: Table, now: datetime) -> Select[Any]:
    """The slots of all workers that live."""
    return select(func.coalesce(func.sum(workers.c.slots), 0)).where(workers.c.seen_at > now - ALIVE)
