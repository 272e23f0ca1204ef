"""What fetches models while the service runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from inference.declarations.connections import Connections
from inference.declarations.restrictions import Restrictions
from inference.declarations.service import DeclaredModels
from inference.pulls.hub_files import HubFiles
from inference.pulls.jobs import Fetching, PullJobs
from inference.pulls.service import Pulls
from inference.pulls.tables import PULL_JOBS
from inference.settings import InferenceSettings
from servicekit.core.clock import SystemClock
from servicekit.core.disk import DiskRoom
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.notifier import LocalNotifier
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner
from servicekit.jobs.worker import Worker, run_worker, worker_name
from servicekit.peers.client import open_session
from servicekit.sql.database import Database

LEASE_SECONDS = 15.0
"""How long after a kill a pull goes on."""
POLL_SECONDS, DRAIN_SECONDS = 5.0, 5.0


@asynccontextmanager
async def open_pulls(
    settings: InferenceSettings, database: Database, declared: DeclaredModels, restrictions: Restrictions, folder: Path
) -> AsyncGenerator[Pulls, None]:
    """Fetches models that administrators ask for into `folder`, one after another."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(outside=True))
        servers = Connections(session, restrictions)
        stack.push_async_callback(servers.close)
        room = DiskRoom(folder, settings.disk_reserve_bytes)
        fetching = Fetching(HubFiles(session, settings.hub_url, folder), servers.to, room, settings.pull_bytes)
        store = JobStore(database, PULL_JOBS, SystemClock(), LEASE_SECONDS, LocalNotifier())
        runner = Runner(Queue(store, PullJobs(fetching, declared)))
        worker = Worker(runner, worker_name("inference"), 1, POLL_SECONDS)
        await stack.enter_async_context(run_worker(worker, DRAIN_SECONDS))
        yield Pulls(store, fetching, declared)
