"""A job's events: SQL is their truth, in the order of their numbers, which count from 1 without gaps.

The job's row counts them (`last_event`), so that whoever adds one gets its number from the row itself.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Integer,
    RowMapping,
    String,
    Table,
    bindparam,
    insert,
    select,
)

from servicekit.jobs.notifier import Notifier
from servicekit.sql.database import Database, UtcTime, rows_of
from servicekit.sql.transaction import Transaction

AT_ONCE = 500
LOOK_SECONDS = 1.0
"""How long a follower waits without being woken before it looks again: a notifier may be away."""


@dataclass(slots=True)
class Event:
    """An event without its number."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    step: int | None = None


def event_columns(job: str, jobs: str) -> list[Column[Any]]:
    """The columns of a table of events; `job` names the one that refers to the table `jobs`."""
    return [
        Column(job, String(40), ForeignKey(f"{jobs}.id", ondelete="CASCADE"), primary_key=True),
        Column("id", Integer, primary_key=True),
        Column("type", String(32), nullable=False),
        Column("step", Integer),
        Column("data", JSON, nullable=False),
        Column("created_at", UtcTime, nullable=False),
    ]


class EventLog:
    """The events of one kind's jobs."""

    def __init__(
        self, table: Table, jobs: Table, final_statuses: Collection[str], final_types: Collection[str] = ()
    ) -> None:
        """The first column of `table` is the job's id. After an event of a final type, or once it has a final status, a
        job emits nothing more.
        """
        self._final = frozenset(final_statuses)
        self._final_types = frozenset(final_types)
        self._job = next(iter(table.c))
        after = self._job == bindparam("job"), table.c.id > bindparam("number")
        self._after = select(table).where(*after).order_by(table.c.id).limit(AT_ONCE)
        self._status = select(jobs.c.status).where(jobs.c.id == bindparam("job"))
        self._add = insert(table)

    async def add(
        self, connection: Transaction, job_id: str, last: int, events: Sequence[Event], now: datetime
    ) -> None:
        """Write events that end with the number `last`, which the job's row was raised to in this transaction."""
        await connection.run(self.add_now, job_id, last, events, now)

    def add_now(self, connection: Connection, job_id: str, last: int, events: Sequence[Event], now: datetime) -> None:
        """The same where the transaction runs in its own thread."""
        first = last - len(events) + 1
        rows = [
            {self._job.name: job_id, "id": first + at, "type": each.type, "step": each.step, "data": each.data}
            | {"created_at": now}
            for at, each in enumerate(events)
        ]
        if rows:
            connection.execute(self._add, rows)

    async def after(self, database: Database, job_id: str, number: int) -> Sequence[RowMapping]:
        """The next events after a number, at most `AT_ONCE`."""
        return await database.read(rows_of(self._after, {"job": job_id, "number": number}))

    async def follow(
        self,
        database: Database,
        notifier: Notifier,
        job_id: str,
        number: int,
        quiet_seconds: float,
        ending: Callable[[], bool] = lambda: False,
    ) -> AsyncGenerator[RowMapping | None]:
        """Every event after a number as it comes, to the job's last; None when nothing came for `quiet_seconds`.

        It may run in another process than the job: a notifier only shortens the wait. It ends early once `ending` says
        so, when this process stops; the reader goes on elsewhere from the last number. It ends, too, where nothing can
        come any more: of a job that is over, whose events were deleted, or that was deleted itself.
        """
        silent, over = 0.0, False
        with notifier.subscribe(job_id) as subscription:
            while not ending():
                found = await self.after(database, job_id, number)
                for event in found:
                    yield event
                    number = event["id"]
                    if event["type"] in self._final_types:
                        return
                if found:
                    silent = 0.0
                    continue
                if over:
                    return
                over = await self._is_over(database, job_id)
                if over:
                    continue  # its last events may have been written since
                if not await subscription.wait(LOOK_SECONDS):
                    silent += LOOK_SECONDS
                if silent >= quiet_seconds:
                    silent = 0.0
                    yield None

    async def _is_over(self, database: Database, job_id: str) -> bool:
        rows = await database.read(rows_of(self._status, {"job": job_id}))
        return not rows or rows[0]["status"] in self._final
