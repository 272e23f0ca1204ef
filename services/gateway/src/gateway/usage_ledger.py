"""The usage ledger: rows are queued by calls and written in groups, off the way of their answers.

A row is never dropped: a full queue makes calls wait, a failed write is tried again, closing writes what is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from gateway.dialects import insert_new
from gateway.metrics import USAGE_FAILURES, USAGE_QUEUE, USAGE_WRITE
from gateway.tables import keys, usage
from servicekit.sql import Database

log = structlog.get_logger(__name__)
GROUP_ROWS = 500
GROUP_SECONDS = 0.025
"""How long a row waits for company when nobody waits for it: a commit costs more than all else in a call."""
RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
CLOSE_SECONDS = 10.0
LAST_USE_SECONDS = 30.0
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One call as the ledger keeps it."""

    id: str
    parent_id: str | None
    request_id: str
    key_id: str
    tenant: str
    route: str
    model: str | None
    prompt_tokens: int
    completion_tokens: int
    embedding_tokens: int
    cost_nano_usd: int | None
    status: int
    error_type: str | None
    streamed: bool
    started_at: datetime
    ms: int
    estimated: bool = False
    attempt: int = 1
    cache: str = "bypass"

    def row(self) -> dict[str, Any]:
        """As the table has it."""
        return {**asdict(self), "day": int(self.started_at.timestamp() // DAY_SECONDS)}


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: UsageRecord
    written: asyncio.Future[None]


class UsageLedger:
    """Writes usage rows; start it with `open`, end it with `close`."""

    def __init__(self, database: Database, queue_rows: int) -> None:
        self._database = database
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(queue_rows)
        self._writer: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()

    def open(self) -> None:
        """Start writing."""
        self._writer = asyncio.create_task(self._write_for_ever())

    async def record(self, record: UsageRecord) -> asyncio.Future[None]:
        """Queue a row, also if the caller is cancelled meanwhile; returns at once unless the queue is full.

        The future is done when the row is committed.
        """
        waiting = _Waiting(record, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            task = asyncio.create_task(self._queue.put(waiting))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            await asyncio.shield(task)
        return waiting.written

    async def wait_for(self, written: asyncio.Future[None], seconds: float) -> None:
        """Have a recorded row committed now rather than with the next group, and wait for it, but not longer."""
        self._hurry.set()
        await asyncio.wait([written], timeout=seconds)

    async def inside(self, call_id: str) -> tuple[int | None, int]:
        """The committed model calls inside one call: nano-dollars (null if one is unknown) and embedding tokens."""
        query = select(
            func.coalesce(func.sum(usage.c.cost_nano_usd), 0),
            func.count(),
            func.count(usage.c.cost_nano_usd),
            func.coalesce(func.sum(usage.c.embedding_tokens), 0),
        ).where(usage.c.parent_id == call_id)
        async with self._database.read() as connection:
            total, rows, priced, tokens = (await connection.execute(query)).one()
        return (int(total) if rows == priced else None), int(tokens)

    async def close(self) -> None:
        """Write what is queued, for at most `CLOSE_SECONDS`; rows that can't be written go to the log, whole."""
        self._hurry.set()
        if self._writer is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*self._late)
                await self._queue.join()
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        while not self._queue.empty():
            _give_to_the_log(self._queue.get_nowait())

    async def _write_for_ever(self) -> None:
        while True:
            await self._write_until_done([await self._queue.get()])
            USAGE_QUEUE.set(self._queue.qsize())

    async def _gather(self, group: list[_Waiting]) -> None:
        """Add the rows that come within `GROUP_SECONDS`, or that are there if somebody waits."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GROUP_SECONDS):
                await self._hurry.wait()
        self._hurry.clear()
        while len(group) < GROUP_ROWS and not self._queue.empty():
            group.append(self._queue.get_nowait())
        USAGE_QUEUE.set(self._queue.qsize() + len(group))

    async def _write_until_done(self, group: list[_Waiting]) -> None:
        attempt, done = 0, False
        try:
            await self._gather(group)
            while not done:
                try:
                    await self._write(group)
                    done = True
                except (SQLAlchemyError, OSError, TimeoutError) as error:
                    USAGE_FAILURES.inc()
                    log.error("usage rows not written yet", rows=len(group), error=repr(error)[:300])
                    await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                    attempt += 1
        finally:
            for waiting in group:
                if not done:
                    _give_to_the_log(waiting)
                if not waiting.written.done():
                    waiting.written.set_result(None)
                self._queue.task_done()

    async def _write(self, group: list[_Waiting]) -> None:
        started = time.perf_counter()
        async with self._database.write() as connection:
            await insert_new(self._database, connection, usage, [waiting.record.row() for waiting in group])
            for key_id, moment in _last_uses(group).items():
                stale = or_(
                    keys.c.last_used_at.is_(None),
                    keys.c.last_used_at < datetime.fromtimestamp(moment.timestamp() - LAST_USE_SECONDS, moment.tzinfo),
                )
                await connection.execute(update(keys).where(keys.c.id == key_id, stale).values(last_used_at=moment))
        USAGE_WRITE.observe(time.perf_counter() - started)


def _last_uses(group: list[_Waiting]) -> dict[str, datetime]:
    uses: dict[str, datetime] = {}
    for waiting in group:
        record = waiting.record
        uses[record.key_id] = max(record.started_at, uses.get(record.key_id, record.started_at))
    return uses


def _give_to_the_log(waiting: _Waiting) -> None:
    log.error("usage row not written", **{**waiting.record.row(), "started_at": waiting.record.started_at.isoformat()})
