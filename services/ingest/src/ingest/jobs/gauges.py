"""What the queue looks like now, for the API's metrics: one place that is there even while no worker lives."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from ingest import metrics
from ingest.tables import JOBS, WORKERS
from servicekit.core.clock import Clock
from servicekit.jobs.tables import LIVE
from servicekit.jobs.worker_registry import ALIVE
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction

log = structlog.get_logger(__name__)
LOOK_SECONDS = 5.0


async def keep_measuring(database: Database, clock: Clock) -> None:
    """Look every few seconds, until cancelled."""
    while True:
        try:
            async with database.read() as connection:
                await measure(connection, clock)
        except (SQLAlchemyError, OSError) as error:
            log.warning("the queue can't be measured", error=repr(error)[:300])
        await asyncio.sleep(LOOK_SECONDS)


async def measure(connection: Transaction, clock: Clock) -> None:
    """Set the gauges of jobs and workers."""
    now = clock.now()
    live = select(JOBS.c.status, func.count(), func.min(JOBS.c.queued_at)).where(JOBS.c.status.in_(LIVE))
    live = live.where(JOBS.c.stage != "built")  # it waits to be cancelled, and for no worker
    rows = {status: (count, oldest) for status, count, oldest in await connection.execute(live.group_by(JOBS.c.status))}
    alive = select(func.count()).where(WORKERS.c.seen_at > now - ALIVE)
    workers = (await connection.execute(alive)).scalar_one()
    queued, oldest = rows.get("queued", (0, None))
    metrics.JOBS_NOW.labels("queued").set(queued)
    metrics.JOBS_NOW.labels("running").set(rows.get("running", (0, None))[0])
    metrics.OLDEST_QUEUED.set((now - oldest).total_seconds() if oldest else 0.0)
    metrics.WORKERS_ALIVE.set(workers)
    metrics.ABANDONED.set(0 if workers else queued)
