"""What works on the lab's jobs while the service runs: a worker for each kind."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import func, select

from lab.metrics import WITHOUT_WORKER
from lab.settings import LabSettings
from servicekit.core.clock import SystemClock
from servicekit.jobs.kind import JobKind
from servicekit.jobs.leased_job import JobStore, LeasedJob
from servicekit.jobs.notifier import LocalNotifier
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner
from servicekit.jobs.tables import JobTable
from servicekit.jobs.worker import Chore, Worker, run_worker, worker_name
from servicekit.peers.client import Peer, open_session
from servicekit.sql.database import Database

COUNT_SECONDS = 15.0


@asynccontextmanager
async def open_peers(settings: LabSettings) -> AsyncGenerator[tuple[Peer, Peer], None]:
    """The gateway's model plane, and inference."""
    async with open_session() as session:
        wait = settings.restart_seconds
        gateway = Peer("gateway", settings.gateway_url, session, 10.0, restart_seconds=wait)
        yield gateway, Peer("inference", settings.inference_url, session, 30.0, restart_seconds=wait)


def open_store(settings: LabSettings, database: Database, jobs: JobTable) -> JobStore:
    """Where the jobs of a table are."""
    return JobStore(database, jobs, SystemClock(), settings.evaluation_lease_seconds, LocalNotifier())


@asynccontextmanager
async def open_worker(
    settings: LabSettings,
    name: str,
    store: JobStore,
    kind: JobKind[LeasedJob],
    slots: int,
    chores: Sequence[Chore] = (),
) -> AsyncGenerator[Worker[LeasedJob], None]:
    """A worker on these jobs, in this process; with 0 slots it leaves them to others, and counts those that wait."""
    seconds = settings.evaluation_poll_seconds
    all_chores = [*chores, counting(store, name)]
    worker = Worker(Runner(Queue(store, kind)), worker_name("lab"), slots, seconds, all_chores)
    async with run_worker(worker, settings.drain_seconds):
        yield worker


def counting(store: JobStore, name: str) -> Chore:
    """Counts the jobs that may run while no job of their kind is at work: a queue that does not move."""
    columns = store.jobs.table.c

    async def count() -> None:
        now = store.clock.now()
        due = select(func.count()).where(store.jobs.due(columns, now))
        held = select(func.count()).where(store.jobs.held(columns, now))
        async with store.database.read() as connection:
            waiting = (await connection.execute(due)).scalar_one()
            at_work = (await connection.execute(held)).scalar_one()
        WITHOUT_WORKER.labels(name).set(0 if at_work else waiting)

    return Chore(COUNT_SECONDS, count)
