"""`Idempotency-Key`: the same call twice has one effect and one answer, for 24 hours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    and_,
    delete,
    select,
    update,
)

from servicekit.core.clock import Clock
from servicekit.core.errors import Conflict, InvalidRequest
from servicekit.sql.database import Database, UtcTime
from servicekit.sql.transaction import Transaction
from servicekit.sql.upserts import insert_if_absent

LIFETIME = timedelta(hours=24)
MOST_ROUTE = 200
ABANDONED = timedelta(seconds=60)
"""A call without an answer for this long died, so that the next one with its key may run."""


class IdempotencyMismatch(Conflict):
    """The key was used for something else."""

    code = "idempotency_mismatch"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was already used with another body. Use a new key for a new call.")


class IdempotencyRunning(Conflict):
    """The first call with this key has not been answered yet."""

    code = "idempotency_running"

    def __init__(self) -> None:
        super().__init__("The first call with this Idempotency-Key is still running. Try again shortly.", retry_after=2)


class InvalidIdempotencyKey(InvalidRequest):
    """The key itself can't be used."""

    code = "invalid_idempotency_key"

    def __init__(self) -> None:
        super().__init__("An Idempotency-Key is 1 to 200 printable ASCII characters.", param="Idempotency-Key")


def idempotency_table(metadata: MetaData) -> Table:
    """The table that a service keeps answers in."""
    return Table(
        "idempotency",
        metadata,
        Column("key_id", String(64), primary_key=True),
        Column("route", String(MOST_ROUTE), primary_key=True),
        Column("key", String(200), primary_key=True),
        Column("fingerprint", String(64), nullable=False),
        Column("status", Integer),
        Column("body", Text),
        Column("created_at", UtcTime, nullable=False),
        Index("idempotency_by_age", "created_at"),
    )


@dataclass(frozen=True, slots=True)
class CallKey:
    """Which call: the caller's API key, the route with its names, and the `Idempotency-Key`."""

    key_id: str
    route: str
    key: str

    def __post_init__(self) -> None:
        if not (1 <= len(self.key) <= 200 and self.key.isascii() and self.key.isprintable()):
            raise InvalidIdempotencyKey
        if len(self.route) > MOST_ROUTE:  # the id of a thread may be as long; PostgreSQL refuses what does not fit
            hashed = hashlib.sha256(self.route.encode()).hexdigest()
            object.__setattr__(self, "route", f"{self.route[: MOST_ROUTE - len(hashed)]}{hashed}")


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer of the first call."""

    status: int
    body: str


def fingerprint(*parts: Any) -> str:
    """One hash of all that a call asks for; equal for equal calls, however they were framed."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class StoredAnswers:
    """The answers that one service keeps, in a table of its own."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def begin(self, connection: Transaction, call: CallKey, print_: str, now: datetime) -> StoredAnswer | None:
        """None if this call is the one to run; else the stored answer.

        Raises `IdempotencyMismatch` or, while the first call runs, `IdempotencyRunning`.
        """
        columns = self._table.c
        values = {"key_id": call.key_id, "route": call.route, "key": call.key, "fingerprint": print_, "created_at": now}
        if await insert_if_absent(connection, self._table, values, [columns.key_id, columns.route, columns.key]):
            return None
        taken_over = (
            update(self._table)
            .where(self._this(call), (self._table.c.created_at < now - LIFETIME) | self._abandoned(now, print_))
            .values(fingerprint=print_, created_at=now, status=None, body=None)
            .returning(self._table.c.key)
        )
        if (await connection.execute(taken_over)).first() is not None:
            return None
        row = (await connection.execute(select(self._table).where(self._this(call)))).mappings().one()
        if row["fingerprint"] != print_:
            raise IdempotencyMismatch
        if row["status"] is None:
            raise IdempotencyRunning
        return StoredAnswer(row["status"], row["body"])

    async def finish(self, connection: Transaction, call: CallKey, answer: StoredAnswer) -> None:
        """Keep the answer for whoever calls with the same key again."""
        await connection.execute(
            update(self._table).where(self._this(call)).values(status=answer.status, body=answer.body)
        )

    async def abandon(self, connection: Transaction, call: CallKey) -> None:
        """Delete a call that failed: it may be tried again with the same key."""
        await connection.execute(delete(self._table).where(self._this(call), self._table.c.status.is_(None)))

    async def once(
        self,
        database: Database,
        clock: Clock,
        call: CallKey | None,
        print_: str,
        make: Callable[[], Awaitable[StoredAnswer]],
    ) -> StoredAnswer:
        """What `make` answers, or answered to the first call with this key; without a key just `make`'s answer."""
        if call is None:
            return await make()
        async with database.write() as connection:
            stored = await self.begin(connection, call, print_, clock.now())
        if stored is not None:
            return stored
        try:
            answer = await make()
            async with database.write() as connection:
                await self.finish(connection, call, answer)
        finally:
            async with database.write() as connection:
                await self.abandon(connection, call)
        return answer

    async def once_within(
        self,
        connection: Transaction,
        call: CallKey | None,
        print_: str,
        now: datetime,
        make: Callable[[], Awaitable[StoredAnswer]],
    ) -> StoredAnswer:
        """As `once`, where all that `make` does is in this transaction: a process that dies has done all or nothing.

        With `once` a call that was cut off after its effect is made again when its key is free again.
        """
        if call is None:
            return await make()
        stored = await self.begin(connection, call, print_, now)
        if stored is not None:
            return stored
        answer = await make()
        await self.finish(connection, call, answer)
        return answer

    async def prune(self, connection: Transaction, now: datetime) -> None:
        """Delete what is older than 24 hours."""
        await connection.execute(delete(self._table).where(self._table.c.created_at < now - LIFETIME))

    def _this(self, call: CallKey) -> ColumnElement[bool]:
        columns = self._table.c
        return and_(columns.key_id == call.key_id, columns.route == call.route, columns.key == call.key)

    def _abandoned(self, now: datetime, print_: str) -> ColumnElement[bool]:
        columns = self._table.c
        return and_(columns.status.is_(None), columns.created_at < now - ABANDONED, columns.fingerprint == print_)
