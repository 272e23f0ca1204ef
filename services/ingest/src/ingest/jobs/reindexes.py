"""Reindexes: jobs that build a collection's new generation in the retriever and put it in the old one's place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.exc import IntegrityError

from contracts.retrieval.reindex import ReindexRequest
from ingest.errors import CollectionDeleting, ReindexRunning
from ingest.jobs.lifecycle import new_job
from ingest.tables import COLLECTIONS, JOBS
from servicekit.jobs.tables import JobOwner
from servicekit.sql.transaction import Transaction


def shadow_key(job: Mapping[str, Any]) -> str:
    """What the retriever knows a job's shadow by. A job that is retried builds another one."""
    return f"{job['id']}.{job['revision']}"


async def create_reindex(
    connection: Transaction, job_owner: JobOwner, collection: str, wanted: ReindexRequest, now: datetime
) -> RowMapping:
    """Queue a reindex; raises `ReindexRunning` while the collection has one, `CollectionDeleting` once it is on its way
    out: a deletion that begins later waits for this transaction and ends the job.
    """
    here = (COLLECTIONS.c.tenant == job_owner.tenant) & (COLLECTIONS.c.name == collection)
    deletion = await connection.execute(select(COLLECTIONS.c.deletion_job).where(here).with_for_update())
    if deletion.scalar_one_or_none() is not None:
        raise CollectionDeleting(collection)
    details = wanted.model_dump(mode="json", exclude_none=True)
    row = new_job("reindex", job_owner, collection, None, now) | {"revision": 1, "details": details}
    try:
        return (await connection.execute(insert(JOBS).values(**row).returning(*JOBS.c))).mappings().one()
    except IntegrityError:  # the index that allows one live reindex of a collection
        raise ReindexRunning(collection) from None


def removal_job(job: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The row of the job that removes what a failed or cancelled reindex has built."""
    job_owner = JobOwner(job["tenant"], job["grant_key_id"], job["request_id"], job["grant_token"])
    return new_job("shadow_removal", job_owner, job["collection"], None, now) | {"details": {"key": shadow_key(job)}}
