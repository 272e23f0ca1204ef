"""`/v1/jobs`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import RowMapping

from contracts.core.base import Name
from contracts.core.pages import Page
from contracts.documents.jobs import Job, JobStatus
from ingest.api.access import Authorised, Cursor, Grant, Limit, Opened, check_collection, lasting_job_owner
from ingest.errors import JobNotFound
from ingest.jobs import service as jobs
from ingest.jobs.cleanup import has_chunks_in_index
from ingest.jobs.service import JobFilter
from servicekit.auth.delegation import Caller
from servicekit.core.errors import ServiceError
from servicekit.streams import sse
from servicekit.web.router import Router

router = Router(prefix="/v1/jobs", tags=["jobs"])
SIGN_OF_LIFE = b": still here\n\n"


@router.get("", response_model=Page[Job])
async def listed(
    caller: Authorised,
    opened: Opened,
    status: JobStatus | None = None,
    collection: Annotated[Name | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Job]:
    """The tenant's jobs, newest first."""
    if collection is not None:
        check_collection(caller, collection)
    which = JobFilter(status, collection, caller.delegation.collections)
    async with opened.database.read() as connection:
        return await jobs.list_jobs(connection, caller.tenant, which, limit, cursor, opened.clock.now())


@router.get("/{job_id}", response_model=Job)
async def one(job_id: str, caller: Authorised, opened: Opened) -> Job:
    """One job: its stage, its progress, and why it waits."""
    async with opened.database.read() as connection:
        row = _visible(caller, await jobs.get_job(connection, caller.tenant, job_id))
        return await jobs.describe_job(connection, row, opened.clock.now())


@router.get("/{job_id}/events", response_class=StreamingResponse)
async def events(job_id: str, caller: Authorised, opened: Opened, request: Request) -> StreamingResponse:
    """Server-sent events: the job at each change, ending with its final state."""
    async with opened.database.read() as connection:
        _visible(caller, await jobs.get_job(connection, caller.tenant, job_id))
    seconds = opened.settings.events_seconds
    request_id: str | None = getattr(request.state, "request_id", None)

    async def pieces() -> AsyncIterator[bytes]:
        try:
            async for job in jobs.watch_job(opened.database, opened.clock, caller.tenant, job_id, seconds):
                yield SIGN_OF_LIFE if job is None else sse.encode(job.model_dump_json(), event_id=None)
        except ServiceError as error:
            yield sse.encode_error(error, request_id)

    return StreamingResponse(pieces(), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)


@router.post("/{job_id}/cancel", status_code=202, response_model=Job)
async def cancel(job_id: str, caller: Authorised, opened: Opened) -> Job:
    """End a job now. What was indexed of a document that was never whole is taken out again."""
    async with opened.database.write() as connection:
        row = _visible(caller, await jobs.get_job(connection, caller.tenant, job_id))
        row = await jobs.cancel_job(connection, row, opened.clock.now())
        shown = await jobs.describe_job(connection, row, opened.clock.now())
        partial = row["kind"] == "reindex" or await has_chunks_in_index(
            connection, row["document_key"], row["revision"]
        )
        cleanup_lease = await opened.deletions.begin_cleanup(connection, row) if partial else None
    if cleanup_lease is not None:
        await opened.deletions.cleanup(cleanup_lease, caller.token)
    return shown


@router.post("/{job_id}/retry", status_code=202, response_model=Job)
async def retry(job_id: str, caller: Authorised, opened: Opened, grant: Grant = None) -> Job:
    """Queue a failed job again."""
    async with opened.database.write() as connection:
        row = _visible(caller, await jobs.get_job(connection, caller.tenant, job_id))
        queued = await jobs.retry_job(connection, row, lasting_job_owner(caller, grant), opened.clock.now())
        shown = await jobs.describe_job(connection, queued, opened.clock.now())
    opened.notifier.notify(job_id, caller.delegation.request_id)
    return shown


def _visible(caller: Caller, row: RowMapping) -> RowMapping:
    """A job of a collection that the key may not use is as if it were not there."""
    if not caller.delegation.allows_collection(row["collection"]):
        raise JobNotFound(row["id"])
    return row
