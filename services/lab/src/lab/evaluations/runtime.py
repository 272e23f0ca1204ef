"""What works on evaluations while the service runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from lab.evaluations.authority import EvaluationGrants
from lab.evaluations.jobs import EvaluationJobs
from lab.evaluations.target import GatewayTarget
from lab.settings import LabSettings
from lab.tables import EVALUATION_JOBS
from servicekit.core.clock import SystemClock
from servicekit.jobs.leased_job import JobStore, LeasedJob
from servicekit.jobs.notifier import LocalNotifier
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner
from servicekit.jobs.worker import Worker, run_worker, worker_name
from servicekit.peers.client import Peer, open_session
from servicekit.sql.database import Database


@asynccontextmanager
async def open_evaluations(
    settings: LabSettings, database: Database
) -> AsyncGenerator[tuple[JobStore, Worker[LeasedJob]], None]:
    """The jobs' store and the worker that asks, in this process."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session())
        gateway = Peer("gateway", settings.gateway_url, session, 10.0, restart_seconds=settings.restart_seconds)
        store = JobStore(database, EVALUATION_JOBS, SystemClock(), settings.evaluation_lease_seconds, LocalNotifier())
        kind = EvaluationJobs(
            GatewayTarget(gateway, settings.answer_seconds), EvaluationGrants(gateway), settings.evaluation_calls
        )
        runner = Runner(Queue(store, kind))
        worker = Worker(runner, worker_name("lab"), settings.evaluation_slots, settings.evaluation_poll_seconds)
        await stack.enter_async_context(run_worker(worker, settings.drain_seconds))
        yield store, worker
