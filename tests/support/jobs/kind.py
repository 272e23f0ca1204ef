"""A kind of job for tests of the machine itself: each step writes that it was done, in the step's own transaction.

What a step does twice, in the wrong order or under an old lease is therefore there to be seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select

from servicekit.core.clock import Clock
from servicekit.core.identifiers import new_id
from servicekit.jobs.events import Event, EventLog, event_columns
from servicekit.jobs.fairness import SlotShares
from servicekit.jobs.kind import Done, JobKind, run_steps
from servicekit.jobs.leased_job import JobStore, LeasedJob
from servicekit.jobs.leases import Lease
from servicekit.jobs.notifier import LocalNotifier, Notifier
from servicekit.jobs.outcomes import Ending, Fail, RetryPolicy
from servicekit.jobs.positions import QueuePositions
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner
from servicekit.jobs.tables import JobOwner, JobTable, job_columns, job_indexes
from servicekit.jobs.worker_registry import WorkerRegistry, workers_table
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction

FINAL = ("ready", "failed", "cancelled")
metadata = MetaData()
TABLE = Table(
    "counts",
    metadata,
    *job_columns(),
    Column("steps", Integer, nullable=False),
    Column("steps_done", Integer, nullable=False, server_default="0"),
    *job_indexes("counts"),
)
EVENTS = Table("count_events", metadata, *event_columns("job_id", "counts"))
EFFECTS = Table(
    "effects",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String(40), nullable=False),
    Column("step", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
)
WORKERS = workers_table(metadata)
JOBS = JobTable(TABLE, EventLog(EVENTS, TABLE, FINAL))
Step = Callable[[LeasedJob, int], Awaitable[None]]


async def _nothing(_: LeasedJob, __: int) -> None:
    """What a step does by default."""


class Counting(JobKind[LeasedJob]):
    """Counts to `steps`."""

    name = "count"

    def __init__(self, step: Step = _nothing, **retry: Any) -> None:
        self.step = step
        self.retry = RetryPolicy(**{"max_attempts": 3, "max_wait": 3600.0, **retry})

    async def load(self, connection: Transaction, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> LeasedJob:
        return LeasedJob(store, lease, row)

    async def run(self, job: LeasedJob) -> None:
        await run_steps(job, [partial(self._step, number=number) for number in range(1, job.row["steps"] + 1)])
        ready = {"status": "ready", "finished_at": job.store.clock.now()}
        async with job.releasing(ready, Event("done")):
            pass

    async def _step(self, job: LeasedJob, number: int) -> Done:
        await self.step(job, number)
        job.emit("counted", {"to": number}, number)

        def counted(connection: Connection) -> None:
            connection.execute(insert(EFFECTS).values(job_id=job.id, step=number, fence=job.lease.fence))

        return Done(changes=[counted])

    async def end(self, job: LeasedJob, ending: Ending) -> None:
        error = None if ending.failure is None else ending.failure.model_dump()
        status = "failed" if isinstance(ending, Fail) else "cancelled"
        values = {"status": status, "error": error, "finished_at": job.store.clock.now()}
        async with job.releasing(values, Event(status)):
            pass


def held_open(entered: asyncio.Event) -> Counting:
    """A kind whose second step never ends by itself."""

    async def step(_: LeasedJob, number: int) -> None:
        if number == 2:
            entered.set()
            await asyncio.Event().wait()

    return Counting(step)


def new_count(tenant: str, now: datetime, steps: int = 3, **more: Any) -> dict[str, Any]:
    """The row of a job."""
    owner = JobOwner(tenant, "key", "req", "grant")
    return {"id": new_id("job"), **owner.queued(now), "created_at": now, "steps": steps, **more}


@asynccontextmanager
async def empty_database(url: str | None, folder: Path) -> AsyncIterator[Database]:
    """A database with these tables and nothing in them: SQLite in a folder, or what is at a URL."""
    database = Database.open(SecretStr(url) if url else None, folder, "jobs")
    try:
        async with database.write() as connection:
            await connection.run(metadata.drop_all)
            await connection.run(metadata.create_all)
        yield database
    finally:
        await database.close()


class CountingBench:
    """The machine over a database, with jobs that count."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        kind: Counting | None = None,
        *,
        lease_seconds: float = 30.0,
        tenant_slots: int | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self.database, self.clock = database, clock
        self.kind = kind or Counting()
        self.notifier = notifier or LocalNotifier()
        self.store = JobStore(database, JOBS, clock, lease_seconds, self.notifier)
        self.queue = Queue(self.store, self.kind, tenant_slots)
        self.registry = WorkerRegistry(WORKERS, database, clock)
        self.runner = Runner(self.queue, shares=SlotShares(database, JOBS, WORKERS, clock))
        self.positions = QueuePositions(JOBS, WORKERS, TABLE.c.status == "ready")
        self.stopping = asyncio.Event()

    async def add(self, tenant: str = "acme", steps: int = 3, **more: Any) -> str:
        row = new_count(tenant, self.clock.now(), steps, **more)
        async with self.database.write() as connection:
            await connection.execute(insert(TABLE).values(**row))
        self.notifier.notify(row["id"], due=True)
        return str(row["id"])

    async def work(self) -> bool:
        job = await self.queue.claim("bench")
        if job is None:
            return False
        await self.runner.run(job, self.stopping)
        return True

    async def row(self, job_id: str) -> dict[str, Any]:
        return dict((await self.database.read(rows_of(select(TABLE).where(TABLE.c.id == job_id))))[0])

    async def ready(self, *job_ids: str) -> None:
        """Wait until these have ended well."""
        while {(await self.row(job_id))["status"] for job_id in job_ids} != {"ready"}:  # noqa: ASYNC110  # rows change
            await asyncio.sleep(0.01)

    async def effects(self, job_id: str) -> list[int]:
        query = select(EFFECTS.c.step).where(EFFECTS.c.job_id == job_id).order_by(EFFECTS.c.number)
        return [row["step"] for row in await self.database.read(rows_of(query))]

    async def events(self, job_id: str) -> list[tuple[int, str]]:
        assert JOBS.events is not None
        return [(row["id"], row["type"]) for row in await JOBS.events.after(self.database, job_id, 0)]
