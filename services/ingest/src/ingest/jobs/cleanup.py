"""What of a document that never became whole is in the index, and the job that takes it out again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from ingest.jobs.lifecycle import new_job
from ingest.tables import DOCUMENTS, JOBS, REVISIONS
from servicekit.jobs.tables import JobOwner
from servicekit.sql.transaction import Transaction


async def has_chunks_in_index(connection: Transaction, document_key: str | None, n: int) -> bool:
    """Whether searches may find chunks of a document of which no revision was ever committed.

    Any revision up to `n` may have sent some. Later revisions' chunks are not searched before their commit, so that
    once there is an active one nothing has to be taken out.
    """
    sent = (
        select(REVISIONS.c.n)
        .join(DOCUMENTS, DOCUMENTS.c.key == REVISIONS.c.document_key)
        .where(DOCUMENTS.c.key == document_key, DOCUMENTS.c.active_revision.is_(None))
        .where(REVISIONS.c.n <= n, REVISIONS.c.sent)
    )
    return (await connection.execute(sent.limit(1))).first() is not None


async def queue_cleanup(connection: Transaction, job: Mapping[str, Any], now: datetime) -> None:
    """See to it that what a job that failed has sent is taken out, in the transaction that ends the job."""
    if job["kind"] == "document" and await has_chunks_in_index(connection, job["document_key"], job["revision"]):
        job_owner = JobOwner(job["tenant"], job["grant_key_id"], job["request_id"], job["grant_token"])
        about = (job["document_key"], job["document_id"], job["revision"])
        row = new_job("withdrawal", job_owner, job["collection"], about, now)
        await connection.execute(insert(JOBS).values(**row))
