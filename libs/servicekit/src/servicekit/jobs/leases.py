"""Leases on rows of jobs: renewed, given up, and the fence that every write of their holder carries.

A claim (`servicekit.jobs.queue`) raises the row's fencing number. Whoever holds an older number can change nothing any
more, so a worker that was thought dead cannot write over its successor. After Kleppmann, "How to do distributed
locking" (2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Integer, RowMapping, String, Table, and_, bindparam, update

from servicekit.core.clock import Clock
from servicekit.sql.database import UtcTime
from servicekit.sql.transaction import Transaction

RELEASED = {"lease_owner": None, "lease_expires_at": None}
"""The lease's columns on a row that nobody holds."""


class LeaseLost(Exception):
    """Another worker holds the row now, or its work was cancelled: stop, and write nothing more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to change one row until it expires or is claimed again."""

    id: str
    owner: str
    fence: int


def lease_columns() -> list[Column[Any]]:
    """The columns that a leased table needs; it also needs a string primary key `id`."""
    return [
        Column("lease_owner", String(100)),
        Column("lease_expires_at", UtcTime),
        Column("fence", Integer, nullable=False, server_default="0"),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("not_before", UtcTime),
    ]


class Leases:
    """The leases of one table, all with the same length."""

    def __init__(self, table: Table, clock: Clock, length: timedelta) -> None:
        self._table = table
        self._clock = clock
        self._length = length

    async def renew(self, connection: Transaction, lease: Lease) -> None:
        """A heartbeat: push the expiry forward; raises `LeaseLost`."""
        await self.write(connection, lease, {"lease_expires_at": self._clock.now() + self._length})

    async def write(self, connection: Transaction, lease: Lease, values: Mapping[str, Any]) -> RowMapping:
        """Change the row under the fence and return it; raises `LeaseLost`."""
        statement = update(self._table).where(self.held(lease)).values(**values).returning(*self._table.c)
        row = (await connection.execute(statement)).mappings().one_or_none()
        if row is None:
            raise LeaseLost(lease.id)
        return row

    async def release(self, connection: Transaction, lease: Lease, values: Mapping[str, Any]) -> RowMapping:
        """Change the row for the last time under this lease and give it up; raises `LeaseLost`."""
        return await self.write(connection, lease, {**values, **RELEASED})

    def held(self, lease: Lease) -> ColumnElement[bool]:
        """True of the row while this lease is the newest one on it."""
        columns = self._table.c
        return and_(columns.id == lease.id, columns.fence == lease.fence, columns.lease_owner == lease.owner)

    @staticmethod
    def held_by_parameters(table: Table) -> ColumnElement[bool]:
        """The same of the lease that is given as `parameters`: for a statement that is built once and run often."""
        return and_(
            table.c.id == bindparam("held_id"),
            table.c.fence == bindparam("held_fence"),
            table.c.lease_owner == bindparam("held_owner"),
        )

    @staticmethod
    def parameters(lease: Lease) -> dict[str, Any]:
        """A lease for `held_by_parameters`."""
        return {"held_id": lease.id, "held_fence": lease.fence, "held_owner": lease.owner}
