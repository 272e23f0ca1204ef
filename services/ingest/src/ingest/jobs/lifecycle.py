"""Jobs that are not over: making one, and ending those that have become pointless."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, RowMapping, update

from contracts.documents.documents import Failure
from ingest.tables import DOCUMENTS, INGEST_JOBS, JOBS
from servicekit.core.identifiers import new_id
from servicekit.jobs.cancellation import revoke
from servicekit.jobs.tables import JobOwner
from servicekit.sql.transaction import Transaction

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
DELETIONS = ("withdrawal", "shadow_removal", "document_deletion", "collection_deletion")
"""The kinds that take something out of the index."""
VISIBLE = (*SHOWN, "tenant_deletion")
"""The kinds that callers see."""
SUPERSEDED = Failure(code="superseded", message="A newer revision of this document was uploaded.", retryable=False)
DELETED = Failure(code="deleted", message="The document was deleted.", retryable=False)


def new_job(
    kind: JobKind, job_owner: JobOwner, collection: str, document: tuple[str, str, int] | None, now: datetime
) -> dict[str, Any]:
    """The row of a new job; `document` is key, id and revision."""
    key, document_id, revision = document or (None, "", 0)
    return {
        "id": new_id("job"),
        "kind": kind,
        **job_owner.queued(now),
        "collection": collection,
        "document_key": key,
        "document_id": document_id,
        "revision": revision,
        "stage": "queued",
        "timings": {},
        "created_at": now,
    }


TOGETHER = 500
"""Rows named in one statement."""


async def end_live(
    connection: Transaction, which: ColumnElement[bool], why: Failure | None, now: datetime
) -> list[RowMapping]:
    """Cancel live jobs at once, running ones too: their fence rises, so that their worker's next write fails.

    Their grants are in what this returns, for what must follow, and no longer in the ledger.
    """
    values = {"status": "cancelled", "finished_at": now, "error": why.model_dump() if why else None}
    ended = await revoke(connection, INGEST_JOBS, which, values)
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
