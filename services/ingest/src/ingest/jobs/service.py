"""Jobs as callers see and steer them: listing, following, cancelling, retrying."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from contracts.core.pages import Page
from contracts.documents.jobs import FINAL_JOB_STATUSES, Job, JobStatus
from ingest.errors import JobCommitting, JobFinished, JobNotFailed, JobNotFound, JobSuperseded, ReindexRunning
from ingest.jobs.description import to_jobs
from ingest.jobs.lifecycle import VISIBLE, end_live, set_document
from ingest.parts.repository import copy_parts
from ingest.tables import JOBS, REVISIONS
from servicekit.core.clock import Clock
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.jobs.tables import JobOwner
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction
from servicekit.telemetry.trace_context import traceparent

LOOK_SECONDS = 0.25
SILENCE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which of a tenant's jobs to list; `collections` are those that the key may see."""

    status: JobStatus | None = None
    collection: str | None = None
    collections: tuple[str, ...] | None = None


async def get_job(connection: Transaction, tenant: str, job_id: str) -> RowMapping:
    """One job of a tenant; raises `JobNotFound`."""
    statement = select(JOBS).where(JOBS.c.tenant == tenant, JOBS.c.id == job_id, JOBS.c.kind.in_(VISIBLE))
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        raise JobNotFound(job_id)
    return row


async def describe_job(connection: Transaction, row: RowMapping, now: datetime) -> Job:
    """One job as the API shows it."""
    return (await to_jobs(connection, [row], now))[0]


async def list_jobs(
    connection: Transaction, tenant: str, which: JobFilter, limit: int, cursor: str | None, now: datetime
) -> Page[Job]:
    """Newest first."""
    conditions = [JOBS.c.tenant == tenant, JOBS.c.kind.in_(VISIBLE)]
    if which.status is not None:
        conditions.append(JOBS.c.status == which.status)
    if which.collection is not None:
        conditions.append(JOBS.c.collection == which.collection)
    if which.collections is not None:
        conditions.append(JOBS.c.collection.in_(which.collections))
    if cursor is not None:
        conditions.append(JOBS.c.id < decode_cursor(cursor, str)[0])
    statement = select(JOBS).where(*conditions).order_by(JOBS.c.id.desc()).limit(limit + 1)
    rows = (await connection.execute(statement)).mappings().all()
    data = await to_jobs(connection, rows[:limit], now)
    return Page(data=data, next_cursor=encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None)


async def watch_job(
    database: Database, clock: Clock, tenant: str, job_id: str, seconds: float
) -> AsyncIterator[Job | None]:
    """The job now, then at each change, until it is over or `seconds` have passed. None is a sign of life.

    A new estimate alone is no change.
    """
    last: Job | None = None
    loop = asyncio.get_running_loop()
    deadline, spoken = loop.time() + seconds, loop.time()
    while loop.time() < deadline:
        async with database.read() as connection:
            job = await describe_job(connection, await get_job(connection, tenant, job_id), clock.now())
        if last is None or job.model_copy(update={"eta_seconds": last.eta_seconds}) != last:
            last, spoken = job, loop.time()
            yield job
        elif loop.time() - spoken > SILENCE_SECONDS:
            spoken = loop.time()
            yield None
        if job.status in FINAL_JOB_STATUSES:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def cancel_job(connection: Transaction, row: RowMapping, now: datetime) -> RowMapping:
    """End a job that is not over; raises `JobFinished`, or `JobCommitting` when it is too late to stop it."""
    committing = row["stage"] == "flipping" or (row["stage"] == "committing" and row["revision"] > 1)
    if row["kind"] == "tenant_deletion" or (committing and row["status"] == "running"):
        raise JobCommitting(row["id"])
    ended = await end_live(connection, JOBS.c.id == row["id"], None, now)
    if not ended:
        raise JobFinished(row["id"], (await get_job(connection, row["tenant"], row["id"]))["status"])
    values = {"status": "cancelled", "updated_at": now}
    await set_document(connection, row["document_key"], row["revision"], ("queued", "processing"), values)
    return ended[0]


async def retry_job(connection: Transaction, row: RowMapping, job_owner: JobOwner, now: datetime) -> RowMapping:
    """Queue a failed job again; raises `JobNotFailed` or `JobSuperseded`.

    Where chunks of its revision were sent, that revision was fenced off, and the job goes on under a new number.
    """
    if row["status"] != "failed":
        raise JobNotFailed(row["id"], row["status"])
    if row["kind"] == "reindex":
        return await _queued_again(connection, row, row["revision"] + 1, job_owner, now)
    statement = select(REVISIONS).where(
        REVISIONS.c.document_key == row["document_key"], REVISIONS.c.n == row["revision"]
    )
    revision = (await connection.execute(statement)).mappings().one_or_none()
    if revision is None:
        raise JobSuperseded(row["id"])
    n = row["revision"] + 1 if revision["sent"] else row["revision"]
    queued = {"status": "queued", "revision": n, "error": None, "unreadable_by": None, "updated_at": now}
    if not await set_document(connection, row["document_key"], row["revision"], ("failed",), queued):
        raise JobSuperseded(row["id"])
    if n != row["revision"]:
        await connection.execute(insert(REVISIONS).values({**revision, "n": n, "sent": False, "created_at": now}))
        await copy_parts(connection, row["document_key"], row["revision"], n)
    return await _queued_again(connection, row, n, job_owner, now)


async def _queued_again(
    connection: Transaction, row: RowMapping, n: int, job_owner: JobOwner, now: datetime
) -> RowMapping:
    again = (
        update(JOBS)
        .where(JOBS.c.id == row["id"], JOBS.c.status == "failed")
        .values(
            status="queued",
            stage="queued",
            progress=0.0,
            pages_done=0,
            chunks_done=0,
            revision=n,
            strikes=0,
            restarts=0,
            attempts=0,
            waiting_on=None,
            waiting_since=None,
            error=None,
            not_before=None,
            finished_at=None,
            queued_at=now,
            request_id=job_owner.request_id,
            traceparent=traceparent(),
            grant_token=job_owner.grant,
            grant_key_id=job_owner.key_id,
        )
        .returning(*JOBS.c)
    )
    try:
        queued = (await connection.execute(again)).mappings().one_or_none()
    except IntegrityError:  # one live reindex a collection
        raise ReindexRunning(row["collection"]) from None
    if queued is None:
        raise JobNotFailed(row["id"], (await get_job(connection, row["tenant"], row["id"]))["status"])
    return queued
