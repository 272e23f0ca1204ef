"""Jobs that are not over: making one, and ending those that have become pointless."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, RowMapping, update

from contracts.documents import Failure
from ingest.tables import DOCUMENTS, JOBS
from servicekit.core.identifiers import new_id
from servicekit.sql.transaction import Transaction
from servicekit.telemetry.trace_context import traceparent

LIVE = ("queued", "running")
JobKind = Literal[
    "document",
    "reindex",
    "withdrawal",
    "shadow_removal",
    "document_deletion",
    "collection_deletion",
    "tenant_deletion",
]
SHOWN = ("document", "reindex")
"""The kinds that callers start on documents: they may fail. What must go from the index is tried until it is gone."""
VISIBLE = (*SHOWN, "tenant_deletion")
"""The kinds that callers see."""
SUPERSEDED = Failure(code="superseded", message="A newer revision of this document was uploaded.", retryable=False)
DELETED = Failure(code="deleted", message="The document was deleted.", retryable=False)


@dataclass(frozen=True, slots=True)
class JobOwner:
    """For whom a job works, and with which right it may go on when the call that made it is long over."""

    tenant: str
    key_id: str
    request_id: str
    grant: str | None


def new_job(
    kind: JobKind, job_owner: JobOwner, collection: str, document: tuple[str, str, int] | None, now: datetime
) -> dict[str, Any]:
    """The row of a new job; `document` is key, id and revision."""
    key, document_id, revision = document or (None, "", 0)
    return {
        "id": new_id("job"),
        "kind": kind,
        "tenant": job_owner.tenant,
        "collection": collection,
        "document_key": key,
        "document_id": document_id,
        "revision": revision,
        "status": "queued",
        "stage": "queued",
        "timings": {},
        "request_id": job_owner.request_id,
        "traceparent": traceparent(),
        "grant_token": job_owner.grant,
        "grant_key_id": job_owner.key_id,
        "created_at": now,
        "queued_at": now,
    }


TOGETHER = 500
"""Rows named in one statement."""


async def end_live(
    connection: Transaction, which: ColumnElement[bool], why: Failure | None, now: datetime
) -> list[RowMapping]:
    """Cancel live jobs at once, running ones too: their fence rises, so that their worker's next write fails.

    Their grants are in what this returns, for what must follow, and no longer in the ledger.
    """
    statement = (
        update(JOBS)
        .where(which, JOBS.c.status.in_(LIVE))
        .values(
            status="cancelled",
            fence=JOBS.c.fence + 1,
            lease_owner=None,
            lease_expires_at=None,
            waiting_on=None,
            finished_at=now,
            error=why.model_dump() if why else None,
        )
        .returning(*JOBS.c)
    )
    ended = list((await connection.execute(statement)).mappings().all())
    held = [row["id"] for row in ended if row["grant_token"] is not None]
    for at in range(0, len(held), TOGETHER):
        some = JOBS.c.id.in_(held[at : at + TOGETHER])
        await connection.execute(update(JOBS).where(some).values(grant_token=None))
    return ended


async def set_document(
    connection: Transaction, key: str, revision: int, statuses: tuple[str, ...], values: Mapping[str, Any]
) -> bool:
    """Change a document while `revision` is its newest and its status is one of `statuses`; whether it was."""
    statement = (
        update(DOCUMENTS)
        .where(
            DOCUMENTS.c.key == key,
            DOCUMENTS.c.revision == revision,
            DOCUMENTS.c.status.in_(statuses),
            DOCUMENTS.c.deleted_at.is_(None),
        )
        .values(**values)
        .returning(DOCUMENTS.c.key)
    )
    return (await connection.execute(statement)).first() is not None
