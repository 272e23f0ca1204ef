"""Jobs as the API shows them: with their place in the queue, what they wait for, and about how long they will take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, select

from contracts.documents.documents import Failure
from contracts.documents.jobs import Job
from ingest.tables import DOCUMENTS, INGEST_JOBS, JOBS, WORKERS
from servicekit.jobs.positions import QueuePositions, QueueState
from servicekit.jobs.tables import LIVE
from servicekit.sql.transaction import Transaction

POSITIONS = QueuePositions(INGEST_JOBS, WORKERS, (JOBS.c.kind == "document") & (JOBS.c.status == "ready"))
_SHOWN = (
    "id", "kind", "document_id", "collection", "status", "stage", "progress", "pages_done", "pages_total", "attempts",
    "timings", "created_at", "started_at", "finished_at",
)  # fmt: skip


async def to_jobs(connection: Transaction, rows: Sequence[RowMapping], now: datetime) -> list[Job]:
    """Rows as the API shows them."""
    state = await POSITIONS.read(connection, rows, now)
    titles = await _read_titles(connection, {row["document_key"] for row in rows if row["document_key"]})
    return [to_job(state, row, titles.get(row["document_key"], "")) for row in rows]


async def _read_titles(connection: Transaction, keys: set[str]) -> dict[str, str]:
    """By document; none of one that is deleted."""
    if not keys:
        return {}
    query = select(DOCUMENTS.c.key, DOCUMENTS.c.title).where(
        DOCUMENTS.c.key.in_(keys), DOCUMENTS.c.deleted_at.is_(None)
    )
    return {row["key"]: row["title"] for row in (await connection.execute(query)).mappings()}


def to_job(state: QueueState, row: RowMapping, title: str = "") -> Job:
    """One of the jobs that the state of the queue was read for; `title` is its document's."""
    return Job(
        **{name: row[name] for name in _SHOWN},
        title=title,
        queue_position=state.position(row),
        waiting_on=state.waiting_on(row),
        eta_seconds=_reindex_eta(row, state.now) if row["kind"] == "reindex" else state.eta_seconds(row),
        error=Failure.model_validate(row["error"]) if row["error"] else None,
    )


def _reindex_eta(row: RowMapping, now: datetime) -> float | None:
    """By what it has done so far; no two are alike."""
    if row["status"] not in LIVE or row["progress"] <= 0 or row["started_at"] is None:
        return None
    taken: float = (now - row["started_at"]).total_seconds()
    return round(max(0.0, taken) * (1 / float(row["progress"]) - 1), 1)
