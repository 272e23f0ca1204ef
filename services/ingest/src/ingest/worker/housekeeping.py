"""Housekeeping of a worker: what processes that were killed have left behind is removed now and then."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from extraction.sandbox.extractor import SandboxedExtractor
from ingest.blobs.references import cleanup_unreferenced
from ingest.ports import BlobStore
from ingest.tables import JOBS
from servicekit.core.clock import Clock, SystemClock
from servicekit.core.errors import ServiceError
from servicekit.jobs.tables import LIVE
from servicekit.sql.database import Database
from servicekit.sql.retention import prune

log = structlog.get_logger(__name__)
EVERY_SECONDS = 6 * 3600.0
ORPHAN_SECONDS = 3600.0
"""Between putting bytes and naming them lie seconds."""


async def run_housekeeping(database: Database, blobs: BlobStore, parser: SandboxedExtractor, jobs_days: float) -> None:
    """At the start and every few hours, until cancelled; ended jobs go after so many days, unless that is 0."""
    while True:
        try:
            await asyncio.to_thread(parser.cleanup)
            removed = await cleanup_unreferenced(database, blobs, ORPHAN_SECONDS)
            jobs = await prune_jobs(database, SystemClock(), jobs_days) if jobs_days else 0
            log.info("cleaned up", blobs=removed, jobs=jobs)
        except (SQLAlchemyError, ServiceError, OSError, ValueError) as error:
            log.warning("could not clean up", error=repr(error)[:300])
        await asyncio.sleep(EVERY_SECONDS)


async def prune_jobs(database: Database, clock: Clock, days: float) -> int:
    """Remove jobs that ended so many days ago; returns how many there were."""
    before = clock.now() - timedelta(days=days)
    return await prune(database, JOBS.c.id, JOBS.c.finished_at, before, JOBS.c.status.not_in(LIVE))
