"""Ingest jobs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.core.base import Count, Reply, Timestamp
from contracts.documents.documents import Document, Failure

JobStatus = Literal["queued", "running", "ready", "failed", "cancelled"]
JobKind = Literal["document", "reindex", "tenant_deletion"]
JobStage = Literal[
    "queued", "parsing", "chunking", "indexing", "committing", "copying", "built", "flipping", "deleting", "done",
]  # fmt: skip
"""A document's job is parsed, cut, indexed and committed; a reindex copies, then flips, or stays `built` until it is
cancelled where it is not to switch; a tenant's deletion deletes."""

FINAL_JOB_STATUSES: frozenset[JobStatus] = frozenset(("ready", "failed", "cancelled"))


class Job(Reply):
    """One job of the ledger. `queue_position` is 1 for the next to run and null once claimed."""

    id: str
    kind: JobKind = "document"
    document_id: str
    """Empty for a job of a whole collection."""
    title: str = ""
    """The document's; empty for a job of a whole collection, and once the document is deleted."""
    collection: str
    status: JobStatus
    stage: JobStage
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0
    pages_done: Count = 0
    pages_total: Count | None = None
    queue_position: Count | None = None
    waiting_on: str | None = None
    """What a job that is not running waits for: `worker` (to take it), `slot` (all busy), `tenant_share` (all busy, and
    its tenant has its share), `earlier_jobs`, `retry`, `disk` (it is full), `budget` (its key's or tenant's has nothing
    left: it goes on by itself once it has), `cancellation` (of an index that was built without switching to it), or a
    service by name."""
    attempts: Count = 0
    eta_seconds: float | None = None
    error: Failure | None = None
    timings: dict[str, float] = Field(default_factory=dict)
    """Milliseconds by stage."""
    created_at: Timestamp
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class Accepted(Reply):
    """The 202 (or, with `unchanged`, 200) answer to an upload."""

    document: Document
    job: Job | None = None
    unchanged: bool = False
    warnings: list[str] = Field(default_factory=list)
    """Of an `unchanged` document: that it keeps its metadata or title, where other ones came with its bytes."""
