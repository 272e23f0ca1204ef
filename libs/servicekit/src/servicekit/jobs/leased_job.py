"""A job while a worker holds it: its row as last written, what it emits, and writes that all carry the fence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Integer, Select, Table, bindparam, false, literal_column, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from servicekit.core.clock import Clock
from servicekit.jobs.events import Event
from servicekit.jobs.leases import RELEASED, Lease, LeaseLost, Leases
from servicekit.jobs.notifier import Notifier
from servicekit.jobs.outcomes import Cancelled, GivingWay, Stopping
from servicekit.jobs.tables import JobTable
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction

Change = Callable[[Connection], None]
"""What a transaction does beside writing the job's row."""
Result = TypeVar("Result")
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class JobStore:
    """Where the jobs of one table are, and what every part of the machine needs to reach them."""

    database: Database
    jobs: JobTable
    clock: Clock
    lease_seconds: float
    notifier: Notifier

    @property
    def leases(self) -> Leases:
        """The jobs' leases."""
        return Leases(self.jobs.table, self.clock, timedelta(seconds=self.lease_seconds))


class LeasedJob:
    """A claimed job. A kind adds what its work needs to know.

    Every transaction of its carries the fence, pushes the lease's expiry forward and writes what was emitted and
    enclosed until then. One that was broken off may or may not have been committed; the next one finds out.
    """

    def __init__(self, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> None:
        self.store = store
        self.lease = lease
        self.row = dict(row)
        """As it was last written."""
        self.stopping = asyncio.Event()
        """Set when the worker ends."""
        self.give_way = asyncio.Event()
        """Set when the job is to leave its slot to another tenant's."""
        self.is_released = False
        """Whether the last transaction is written, so that there is no lease to renew."""
        self._emitted: list[Event] = []
        self._enclosed: list[Change] = []
        self._lock = asyncio.Lock()
        self._doubtful = False
        """Whether a transaction was broken off."""

    @property
    def id(self) -> str:
        """The job's id."""
        return self.lease.id

    @property
    def tenant(self) -> str:
        """Whose job it is."""
        return str(self.row["tenant"])

    @property
    def clock(self) -> Clock:
        """The machine's clock."""
        return self.store.clock

    @property
    def failed_attempts(self) -> int:
        """Claims since it last got further, this one included."""
        return int(self.row[self.store.jobs.failed_attempts])

    @property
    def waited(self) -> float:
        """Seconds since it began to wait for something that is away."""
        since: datetime | None = self.row["waiting_since"]
        return 0.0 if since is None else (self.store.clock.now() - since).total_seconds()

    @property
    def has_news(self) -> bool:
        """Whether there are events that are not written yet."""
        return bool(self._emitted)

    def carried(self) -> Mapping[str, Any]:
        """Columns that every write of the row carries along: counters, say."""
        return NOTHING

    def checkpoint(self) -> None:
        """Between two steps: raises `Stopping` or `GivingWay` if the job is to leave its slot."""
        if self.stopping.is_set():
            raise Stopping
        if self.give_way.is_set():
            raise GivingWay

    async def unless_giving_way(self, doing: Awaitable[Result]) -> Result:
        """What comes of it; raises `GivingWay` as soon as the job is to leave its slot, and ends it then."""
        task, leaving = asyncio.ensure_future(doing), asyncio.ensure_future(self.give_way.wait())
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise GivingWay
            return task.result()
        finally:
            leaving.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def others_wait(self) -> bool:
        """Whether another job is due that no worker has."""
        others = _others(self.store.jobs)
        return bool(await self.store.database.read(rows_of(others, {"id": self.id, "now": self.clock.now()})))

    def emit(self, kind: str, data: dict[str, Any] | None = None, step: int | None = None) -> None:
        """An event that goes out with the next transaction."""
        self._emitted.append(Event(kind, data or {}, step))

    def last_emitted(self) -> Event | None:
        """The newest event while it may still be changed: no transaction is writing it."""
        return self._emitted[-1] if self._emitted and not self._lock.locked() else None

    def enclose(self, change: Change) -> None:
        """Something that goes out with the next transaction. It may be made twice, and must do no harm then."""
        self._enclosed.append(change)

    async def write(
        self,
        *changes: Change,
        values: Mapping[str, Any] = NOTHING,
        progress: bool = False,
        unless_cancelled: bool = False,
    ) -> None:
        """One transaction under the fence: these values of the row, and these changes; raises `LeaseLost`.

        `progress` says that the job got further with it, which forgives earlier attempts and ends a wait. With
        `unless_cancelled` raises `Cancelled`, and changes nothing, where a cancel was accepted meanwhile.
        """
        async with self._lock:
            plan = self._plan(values, changes, progress=progress, unless_cancelled=unless_cancelled)
            self._doubtful = True
            self._settle(await self.store.database.write(plan.carry_out), plan)
        if plan.events:
            self.store.notifier.notify(self.id)

    async def flush(self) -> None:
        """Write what was emitted."""
        if self._emitted:
            await self.write()

    @asynccontextmanager
    async def writing(
        self, values: Mapping[str, Any] = NOTHING, *, progress: bool = False
    ) -> AsyncIterator[Transaction]:
        """The same for changes that take an asynchronous connection: they are the block's."""
        async with self._lock:
            plan = self._plan(values, (), progress=progress)
            self._doubtful = True
            async with self.store.database.write() as connection:
                last = await connection.run(plan.carry_out)
                yield connection
            self._settle(last, plan)
        if plan.events:
            self.store.notifier.notify(self.id)

    @asynccontextmanager
    async def releasing(
        self, values: Mapping[str, Any], *events: Event, unless_cancelled: bool = False
    ) -> AsyncIterator[Transaction]:
        """The last transaction: these values and events, and the lease goes; the block may change more.

        With `unless_cancelled` raises `Cancelled`, and changes nothing, where a cancel was accepted meanwhile.
        """
        async with self._lock:
            plan = self._plan({**values, **RELEASED}, (), events, unless_cancelled=unless_cancelled)
            self._doubtful = True
            async with self.store.database.write() as connection:
                last = await connection.run(plan.carry_out)
                self.is_released = True
                try:
                    yield connection
                except BaseException:
                    self.is_released = False
                    raise
            self._settle(last, plan)
        is_due = values.get("status") == "queued" and values.get("not_before", plan.now) <= plan.now
        self.store.notifier.notify(self.id, due=is_due)

    def _plan(
        self,
        values: Mapping[str, Any],
        changes: Sequence[Change],
        more: Sequence[Event] = (),
        *,
        progress: bool = False,
        unless_cancelled: bool = False,
    ) -> _Transaction:
        now, jobs = self.store.clock.now(), self.store.jobs
        forgiven = {jobs.failed_attempts: 1, "waiting_since": None} if progress else NOTHING
        expires = {"lease_expires_at": now + timedelta(seconds=self.store.lease_seconds)}
        return _Transaction(
            jobs=jobs,
            lease=self.lease,
            now=now,
            values={**self.carried(), **forgiven, **expires, **values},
            events=[*self._emitted, *more],
            changes=[*self._enclosed, *changes],
            known=self.row["last_event"] if self._doubtful and jobs.events is not None else None,
            unless_cancelled=unless_cancelled,
        )

    def _settle(self, last: int, plan: _Transaction) -> None:
        """Take over what was committed."""
        self.row.update(plan.values)
        if self.store.jobs.events is not None:
            self.row["last_event"] = last
        del self._emitted[: len(plan.events)]
        del self._enclosed[: len(plan.changes)]
        self._doubtful = False


@dataclass
class _Transaction:
    """One write of a job, to be carried out in whatever thread has the connection."""

    jobs: JobTable
    lease: Lease
    now: datetime
    values: dict[str, Any]
    events: list[Event]
    changes: list[Change]
    known: int | None
    """The last event that is surely committed, if one before may have committed some of these; else null."""
    unless_cancelled: bool

    def carry_out(self, connection: Connection) -> int:
        """Write everything; the number of the last event."""
        new = self.events
        if self.known is not None:
            new = new[self._update(connection, NOTHING, 0) - self.known :]
        last = self._update(connection, self.values, len(new))
        if self.jobs.events is not None:
            self.jobs.events.add_now(connection, self.lease.id, last, new, self.now)
        for change in self.changes:
            change(connection)
        return last

    def _update(self, connection: Connection, values: Mapping[str, Any], events: int) -> int:
        statement = _update(self.jobs.table, tuple(values), self.unless_cancelled and self.jobs.can_be_flagged)
        given = {f"new_{name}": value for name, value in values.items()}
        held = Leases.parameters(self.lease)
        last: int | None = connection.execute(statement, {**held, **given, "events": events}).scalar_one_or_none()
        if last is not None:
            return last
        if self.unless_cancelled and connection.execute(_held(self.jobs.table), held).first() is not None:
            raise Cancelled
        raise LeaseLost(self.lease.id)


@lru_cache(maxsize=64)
def _update(table: Table, names: tuple[str, ...], unless_cancelled: bool) -> ReturningUpdate[Any]:
    """Built once: building it takes as long as running it."""
    values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    last: Any = literal_column("0")
    if "last_event" in table.c:
        last = table.c.last_event
        values["last_event"] = last + bindparam("events", type_=Integer)
    where = [Leases.held_by_parameters(table)]
    if unless_cancelled:
        where.append(table.c.cancel_requested == false())
    return update(table).where(*where).values(**values).returning(last)


@lru_cache(maxsize=16)
def _others(jobs: JobTable) -> Select[Any]:
    columns = jobs.table.c
    return select(columns.id).where(jobs.due(columns), columns.id != bindparam("id")).limit(1)


@lru_cache(maxsize=16)
def _held(table: Table) -> Any:
    return select(table.c.id).where(Leases.held_by_parameters(table))
