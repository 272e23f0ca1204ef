"""The usage ledger: rows are queued by calls and written in groups, off the way of their answers.

A row is never dropped: a full queue makes calls wait, a failed write is tried again, closing writes what is left.
What can cost money is reserved here before it begins: that row is committed, together with all that waits at that
moment, before the upstream is called. If this process dies then, another one bills what it had reserved.
Other rows may go beside them in the same commits; usage never waits for these, and goes on without them if it must.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import bindparam, delete, or_, update
from sqlalchemy.exc import SQLAlchemyError

from gateway.limits.errors import LedgerUnavailable
from gateway.metrics import USAGE_FAILURES, USAGE_QUEUE, USAGE_WRITE
from gateway.storage.dialects import insert_if_missing, upsert
from gateway.storage.tables import keys, reservations, usage
from gateway.usage.records import REPLICA_LOST, ReservationRecord, UsageRecord, anonymous
from servicekit.core.clock import Clock, SystemClock
from servicekit.core.errors import DiskFull, is_disk_full
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Change, Database, all_of

log = structlog.get_logger(__name__)
GROUP_ROWS = 500
GROUP_SECONDS = 0.025
"""How long a row waits for company when nobody waits for it: a commit costs more than all else in a call."""
RESERVATION_GROUP_SECONDS = 0.003
"""How long a reservation does, for which its call waits; only while there is company to wait for."""
RESERVATION_SECONDS = 2.0
"""How long a call waits for its reservation before it is refused: a ledger that is locked must not cost money."""
LEASE = timedelta(seconds=60)
"""How long a reservation lives without a sign of its replica."""
RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
CLOSE_SECONDS = 10.0
LAST_USE_SECONDS = 30.0


@dataclass(slots=True)
class RowsBeside:
    """Rows of others that are written in a commit of usage, or not at all; then `error` says why."""

    changes: list[Change]
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: UsageRecord | ReservationRecord | RowsBeside
    written: asyncio.Future[None]


class UsageLedger:
    """Writes usage rows and reservations; start it with `open`, end it with `close`."""

    def __init__(self, database: Database, queue_rows: int, clock: Clock | None = None) -> None:
        self.owner = new_id("replica")
        """This replica, as its reservations name it."""
        self._database = database
        self._clock = clock or SystemClock()
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(queue_rows)
        self._writer: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._wanted = asyncio.Event()
        self._urgent = False
        self._crowded = False
        self._reserved: set[str] = set()
        self.is_full = False
        """Whether rows wait, in memory, until the disk has room for them."""
        self.deleted_tenants: frozenset[str] = frozenset()
        """Tenants that are being deleted or gone: their last rows name nobody."""
        dialect = database.dialect.name
        self._add_reservations = insert_if_missing(dialect, reservations)
        self._add_usage = upsert(dialect, usage, usage.c.error_type == REPLICA_LOST)

    @property
    def has_reservations(self) -> bool:
        """Whether this replica has reservations in the ledger."""
        return bool(self._reserved)

    def row_of(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row as it is to be kept."""
        return anonymous(row) if row["tenant"] in self.deleted_tenants else row

    def open(self) -> None:
        """Start writing."""
        self._writer = asyncio.create_task(self._write_groups())

    async def reserve(self, record: ReservationRecord) -> None:
        """Commit a reservation, which the usage row with its id ends; raises `LedgerUnavailable` if it takes long, or
        `DiskFull`."""
        self._reserved.add(record.id)
        written = await self._enqueue(record)
        self._wanted.set()
        await asyncio.wait([written], timeout=RESERVATION_SECONDS)
        if not written.done():
            raise DiskFull if self.is_full else LedgerUnavailable

    async def reserve_later(self, record: ReservationRecord) -> None:
        """Have a reservation committed soon, for others to see; nobody waits for it."""
        self._reserved.add(record.id)
        await self._enqueue(record)
        self._wanted.set()

    async def record(self, record: UsageRecord) -> asyncio.Future[None]:
        """Queue a row, also if the caller is cancelled meanwhile; returns at once unless the queue is full.

        The future is done when the row is committed.
        """
        return await self._enqueue(record)

    async def write_beside(self, changes: list[Change]) -> Exception | None:
        """Write rows in the next commit of usage; what went wrong, if they could not be."""
        rows = RowsBeside(changes)
        await (await self._enqueue(rows))
        return rows.error

    async def wait_for(self, written: asyncio.Future[None], seconds: float) -> None:
        """Have a recorded row committed now rather than with the next group, and wait for it, but not longer."""
        self._write_now()
        await asyncio.wait([written], timeout=seconds)

    async def all_written(self) -> None:
        """Wait until every row that was recorded so far is committed."""
        self._write_now()
        await asyncio.gather(*self._late)
        await self._queue.join()

    async def close(self) -> None:
        """Write what is queued, for at most `CLOSE_SECONDS`; rows that can't be written go to the log, whole."""
        self._write_now()
        if self._writer is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.all_written()
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        while not self._queue.empty():
            _log_row(self._queue.get_nowait())

    async def _enqueue(self, record: UsageRecord | ReservationRecord | RowsBeside) -> asyncio.Future[None]:
        waiting = _Waiting(record, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            task = asyncio.create_task(self._queue.put(waiting))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            await asyncio.shield(task)
        return waiting.written

    def _write_now(self) -> None:
        self._urgent = True
        self._wanted.set()

    async def _write_groups(self) -> None:
        while True:
            await self._write_until_done([await self._queue.get()])
            USAGE_QUEUE.set(self._queue.qsize())

    async def _gather(self, group: list[_Waiting]) -> None:
        """Add the rows that come within `GROUP_SECONDS`, or sooner if somebody waits."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GROUP_SECONDS):
                await self._wanted.wait()
        if self._wanted.is_set() and not self._urgent and self._crowded:
            await asyncio.sleep(RESERVATION_GROUP_SECONDS)
        self._wanted.clear()
        self._urgent = False
        while len(group) < GROUP_ROWS and not self._queue.empty():
            group.append(self._queue.get_nowait())
        self._crowded = sum(isinstance(waiting.record, ReservationRecord) for waiting in group) > 1
        USAGE_QUEUE.set(self._queue.qsize() + len(group))

    async def _write_until_done(self, group: list[_Waiting]) -> None:
        done = False
        try:
            await self._gather(group)
            await self._commit(group)
            done = True
        finally:
            for waiting in group:
                if not done:
                    _log_row(waiting)
                if not done and isinstance(waiting.record, RowsBeside):
                    waiting.record.error = waiting.record.error or TimeoutError("the ledger was closed")
                if not waiting.written.done():
                    waiting.written.set_result(None)
                self._queue.task_done()

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        attempt = 0
        while True:
            try:
                await self._write([waiting.record for waiting in group])
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                self.is_full = self.is_full or is_disk_full(error)
                USAGE_FAILURES.inc()
                log.error("usage rows not written yet", rows=len(group), error=repr(error)[:300])
                await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                attempt += 1
            except Exception as error:  # noqa: BLE001  # one row that no database takes must not end the writing of all
                USAGE_FAILURES.inc()
                log.error("usage rows can't be written together", rows=len(group), error=repr(error)[:300])
                if len(group) == 1:
                    _log_row(group[0])
                    return
                for waiting in group:
                    await self._commit([waiting])
                return
            else:
                self.is_full = False
                return

    async def _write(self, group: Sequence[UsageRecord | ReservationRecord | RowsBeside]) -> None:
        beside = [rows for rows in group if isinstance(rows, RowsBeside) and rows.error is None]
        try:
            await self._write_rows(group, [change for rows in beside for change in rows.changes])
        except Exception as error:
            if not beside:
                raise
            for rows in beside:
                rows.error = error
            await self._write_rows(group, [])

    async def _write_rows(
        self, group: Sequence[UsageRecord | ReservationRecord | RowsBeside], beside: Sequence[Change]
    ) -> None:
        started = time.perf_counter()
        records = [record for record in group if isinstance(record, UsageRecord)]
        ended = {record.id for record in records} & self._reserved
        until = self._clock.now() + LEASE
        reserved = [
            {**self.row_of(record.row()), "owner": self.owner, "expires_at": until}
            for record in group
            if isinstance(record, ReservationRecord) and record.id not in ended
        ]
        changes: list[Change] = [(self._add_reservations, reserved)] if reserved else []
        if records:
            changes.append((self._add_usage, [self.row_of(record.row()) for record in records]))
            changes.append((_USED, _last_uses(records)))
        if ended:
            changes.append((_END, [{"ended": attempt_id} for attempt_id in ended]))
        changes += beside
        if changes:
            await self._database.write(all_of(changes))
        self._reserved -= ended
        USAGE_WRITE.observe(time.perf_counter() - started)


_END = delete(reservations).where(reservations.c.id == bindparam("ended"))
_USED = (
    update(keys)
    .where(keys.c.id == bindparam("of"), or_(keys.c.last_used_at.is_(None), keys.c.last_used_at < bindparam("stale")))
    .values(last_used_at=bindparam("moment"))
)


def _last_uses(records: Sequence[UsageRecord]) -> list[dict[str, Any]]:
    uses: dict[str, datetime] = {}
    for record in records:
        uses[record.key_id] = max(record.started_at, uses.get(record.key_id, record.started_at))
    in_one_order = sorted(uses.items())  # replicas that hold rows in different orders would wait for each other
    return [
        {"of": key_id, "moment": moment, "stale": moment - timedelta(seconds=LAST_USE_SECONDS)}
        for key_id, moment in in_one_order
    ]


def _log_row(waiting: _Waiting) -> None:
    if isinstance(waiting.record, RowsBeside):
        return
    row = waiting.record.row()
    log.error("usage row not written", **{**row, "started_at": waiting.record.started_at.isoformat()})
