"""Ingest's jobs as a kind of durable job: which steps carry one out, and what its ends mean."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, select

from contracts.documents.documents import Failure
from ingest import metrics
from ingest.documents.deletions import Deletions
from ingest.jobs.leased_job import IngestJob, revision_of
from ingest.jobs.lifecycle import DELETIONS, SHOWN, set_document
from ingest.jobs.outcomes import Unreadable, decide
from ingest.steps.pipeline import Pipeline
from ingest.steps.reindex import Reindexer
from ingest.steps.tenant_deletion import TenantDeletion
from ingest.tables import JOBS, REVISIONS
from servicekit.core.disk import DiskRoom
from servicekit.jobs.kind import JobKind, Observer
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.leases import Lease
from servicekit.jobs.outcomes import Ending, Fail, Outcome, RetryPolicy, TryAgain
from servicekit.sql.transaction import Transaction
from servicekit.telemetry.spans import Span, enter
from servicekit.telemetry.trace_context import TraceContext

_FIRST_STAGE = case(
    (JOBS.c.kind == "reindex", "copying"), (JOBS.c.kind == "tenant_deletion", "deleting"), else_="parsing"
)


class KindUnknown(Exception):
    """A job of another release, which this worker must not guess at: it waits for a worker that knows its kind."""


@dataclass(frozen=True)
class IngestJobs(JobKind[IngestJob]):
    """Documents, reindexes and deletions."""

    pipeline: Pipeline
    reindexer: Reindexer
    deletions: Deletions
    tenant_deletion: TenantDeletion
    reading: str
    """The reading version of its parsers."""
    retry: RetryPolicy
    room: DiskRoom
    name = "ingest"

    def claiming(self) -> Mapping[str, Any]:
        """A queued job begins with the first stage of its kind; one that was begun stays in its stage."""
        return {"stage": case((JOBS.c.stage == "queued", _FIRST_STAGE), else_=JOBS.c.stage)}

    async def load(self, connection: Transaction, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> IngestJob:
        """The job with its document's revision, which is being processed from now on."""
        if row["kind"] != "document":
            return IngestJob(store, lease, row)
        shown = {"status": "processing", "updated_at": store.clock.now()}
        await set_document(connection, row["document_key"], row["revision"], ("queued",), shown)
        found = (await connection.execute(select(REVISIONS).where(revision_of(row)))).mappings().one_or_none()
        return IngestJob(store, lease, row, dict(found or {}))

    async def run(self, job: IngestJob) -> None:
        """Carry it out."""
        kind, authority = job.row["kind"], self.pipeline.authority
        if kind == "reindex":
            await self.reindexer.run(job)
        elif kind == "tenant_deletion":
            await authority.call(
                job, "gateway", lambda token: self.tenant_deletion.carry_out(job.row, job.lease, token)
            )
        elif kind in DELETIONS:
            await authority.call(job, "retriever", lambda token: self.deletions.carry_out(job.row, job.lease, token))
            return
        elif kind != "document":
            raise KindUnknown(kind)
        elif not job.revision:
            await job.end_cancelled(Failure(code="deleted", message="The document was deleted."))
            return
        else:
            await asyncio.to_thread(self.room.check)
            await authority.ask_budget(job)
            await self.pipeline.run(job)
        metrics.FINISHED.labels("ready").inc()

    async def end(self, job: IngestJob, ending: Ending) -> None:
        """Failed with a reason that the document shows, too; or cancelled as overtaken."""
        if isinstance(ending, Fail):
            unreadable_by = self.reading if isinstance(ending, Unreadable) else None
            await job.end_failed(ending.failure, unreadable_by)
        else:
            await job.end_cancelled(ending.failure)

    def decide(self, job: IngestJob, error: Exception) -> Outcome:
        """What must go from the index goes, however long it takes; the others may fail."""
        outcome = decide(self.retry, error, waited=job.waited, failed_attempts=job.failed_attempts)
        if job.row["kind"] not in SHOWN and isinstance(outcome, Ending):
            return TryAgain(self.retry.backoff(job.failed_attempts))
        return outcome

    def expects(self, error: Exception) -> bool:
        """Services' errors, and those that reading and sending documents have words of their own for."""
        return super().expects(error) or type(error).__module__.partition(".")[0] in ("ingest", "extraction")

    def tried(self, job: IngestJob) -> int:
        """Also starts from the beginning count; what must go is tried for ever."""
        return max(job.failed_attempts - 1, job.row["restarts"]) if job.row["kind"] in SHOWN else 0

    def span(self, job: IngestJob) -> Span:
        """The span of this attempt, under the call that made the job."""
        row = job.row
        about = {
            "groundwork.job_id": row["id"],
            "groundwork.tenant": row["tenant"],
            "groundwork.request_id": row["request_id"],
            "groundwork.collection": row["collection"],
            "groundwork.job_attempt": row["attempts"],
        }
        return enter(f"job {row['kind']}", "consumer", TraceContext.read(row["traceparent"]), about)


class JobObserver(Observer[IngestJob]):
    """Counts what becomes of jobs, and the worker's looks and slots."""

    def looked(self) -> None:
        """The worker lives."""
        metrics.HEARTBEAT.set_to_current_time()

    def slots(self, busy: int, free: int) -> None:
        """This worker's slots."""
        metrics.SLOTS.labels("busy").set(busy)
        metrics.SLOTS.labels("free").set(free)

    def requeued(self, reason: str) -> None:
        """A job goes on later."""
        metrics.PUT_BACK.labels(reason).inc()

    def ended(self, ending: Ending) -> None:
        """A job failed, or was overtaken."""
        metrics.FINISHED.labels("failed" if isinstance(ending, Fail) else "cancelled").inc()

    def lost(self) -> None:
        """A job is another worker's now, or was ended."""
        metrics.FINISHED.labels("lost").inc()
