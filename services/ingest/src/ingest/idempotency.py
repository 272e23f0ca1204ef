"""`Idempotency-Key`: the same call twice has one effect and one answer, for 24 hours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.errors import IdempotencyMismatch, IdempotencyRunning, InvalidIdempotencyKey
from ingest.tables import IDEMPOTENCY
from ingest.upserts import insert_if_absent
from servicekit.clock import Clock
from servicekit.sql import Database

KEPT = timedelta(hours=24)
ABANDONED = timedelta(seconds=60)
"""A call without an answer for this long died, so that the next one with its key may run."""
_COLUMNS = IDEMPOTENCY.c


@dataclass(frozen=True, slots=True)
class CallKey:
    """Which call: the caller's API key, the route with its names, and the `Idempotency-Key`."""

    key_id: str
    route: str
    key: str

    def __post_init__(self) -> None:
        if not (1 <= len(self.key) <= 200 and self.key.isascii() and self.key.isprintable()):
            raise InvalidIdempotencyKey


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer of the first call."""

    status: int
    body: str


def fingerprint(*parts: Any) -> str:
    """One hash of all that a call asks for; equal for equal calls, however they were framed."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


async def begin(connection: AsyncConnection, call: CallKey, print_: str, now: datetime) -> StoredAnswer | None:
    """None if this call is the one to run; else the stored answer.

    Raises `IdempotencyMismatch` or, while the first call runs, `IdempotencyRunning`.
    """
    values = {"key_id": call.key_id, "route": call.route, "key": call.key, "fingerprint": print_, "created_at": now}
    if await insert_if_absent(connection, IDEMPOTENCY, values, [_COLUMNS.key_id, _COLUMNS.route, _COLUMNS.key]):
        return None
    taken_over = (
        update(IDEMPOTENCY)
        .where(_this(call), (_COLUMNS.created_at < now - KEPT) | _abandoned(now, print_))
        .values(fingerprint=print_, created_at=now, status=None, body=None)
        .returning(_COLUMNS.key)
    )
    if (await connection.execute(taken_over)).first() is not None:
        return None
    row = (await connection.execute(select(IDEMPOTENCY).where(_this(call)))).mappings().one()
    if row["fingerprint"] != print_:
        raise IdempotencyMismatch
    if row["status"] is None:
        raise IdempotencyRunning
    return StoredAnswer(row["status"], row["body"])


async def finish(connection: AsyncConnection, call: CallKey, answer: StoredAnswer) -> None:
    """Keep the answer for whoever calls with the same key again."""
    await connection.execute(update(IDEMPOTENCY).where(_this(call)).values(status=answer.status, body=answer.body))


async def abandon(connection: AsyncConnection, call: CallKey) -> None:
    """Forget a call that failed: it may be tried again with the same key."""
    await connection.execute(delete(IDEMPOTENCY).where(_this(call), _COLUMNS.status.is_(None)))


async def once(
    database: Database, clock: Clock, call: CallKey | None, print_: str, make: Callable[[], Awaitable[StoredAnswer]]
) -> StoredAnswer:
    """The answer that `make` gives, or that it gave to the first call with this key; without a key just `make`'s."""
    if call is None:
        return await make()
    async with database.write() as connection:
        stored = await begin(connection, call, print_, clock.now())
    if stored is not None:
        return stored
    try:
        answer = await make()
        async with database.write() as connection:
            await finish(connection, call, answer)
    finally:
        async with database.write() as connection:
            await abandon(connection, call)
    return answer


async def purge(connection: AsyncConnection, now: datetime) -> None:
    """Drop what is older than 24 hours."""
    await connection.execute(delete(IDEMPOTENCY).where(_COLUMNS.created_at < now - KEPT))


def _this(call: CallKey) -> Any:
    return and_(_COLUMNS.key_id == call.key_id, _COLUMNS.route == call.route, _COLUMNS.key == call.key)


def _abandoned(now: datetime, print_: str) -> Any:
    return and_(_COLUMNS.status.is_(None), _COLUMNS.created_at < now - ABANDONED, _COLUMNS.fingerprint == print_)
