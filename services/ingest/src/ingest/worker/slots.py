"""A worker's slots: each runs one job under a heartbeat and settles what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from contracts.documents import Failure
from ingest import metrics
from ingest.documents.deletions import Deletions
from ingest.jobs.leased_job import Work
from ingest.jobs.ledger import Ledger
from ingest.jobs.lifecycle import SHOWN
from ingest.jobs.outcomes import (
    Fail,
    GivingWay,
    ServiceAway,
    Stopping,
    Supersede,
    TryAgain,
    Wait,
    Yielding,
    backoff,
    decide,
    exhausted,
)
from ingest.jobs.shares import must_give_way
from ingest.steps.pipeline import Pipeline
from ingest.steps.reindex import Reindexer
from ingest.steps.tenant_deletion import TenantDeletion
from servicekit.core.disk import DiskRoom
from servicekit.core.errors import ServiceError
from servicekit.jobs.leases import LeaseLost
from servicekit.telemetry.spans import Attributes, enter
from servicekit.telemetry.trace_context import TraceContext

log = structlog.get_logger(__name__)
BEATS = 3
"""Heartbeats in the length of a lease."""


@dataclass(frozen=True, slots=True)
class Slots:
    """Runs claimed jobs; whatever happens in one stays in it."""

    ledger: Ledger
    pipeline: Pipeline
    reindexing: Reindexer
    deletions: Deletions
    tenant_deletion: TenantDeletion
    reading: str
    """The reading version of its parsers."""
    max_wait_seconds: float
    max_attempts: int
    room: DiskRoom

    async def run(self, work: Work, stopping: asyncio.Event) -> None:
        """Run one job to whatever end it comes to. Never raises, unless it is cancelled."""
        job = work.job
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=job["request_id"], tenant=job["tenant"], job_id=job["id"], attempt=job["attempts"]
        )
        span = enter(f"job {job['kind']}", "consumer", TraceContext.read(job["traceparent"]), _about(job))
        try:
            with span:
                await self._with_heartbeat(work, self._carry_out(work, stopping))
        except LeaseLost:
            metrics.FINISHED.labels("lost").inc()
            log.info("job was taken away")
        except Yielding:
            metrics.PUT_BACK.labels("yielding").inc()
            await self._write(self.ledger.put_back(work, 0, None, blameless=True, behind=True))
        except GivingWay:
            metrics.PUT_BACK.labels("giving_way").inc()
            await self._write(self.ledger.put_back(work, 0, None, blameless=True))
        except Stopping:
            metrics.PUT_BACK.labels("shutdown").inc()
            await self._write(self.ledger.put_back(work, 0, None, blameless=True))
        except asyncio.CancelledError:
            await asyncio.shield(self._write(self.ledger.put_back(work, 0, None, blameless=True)))
            raise
        except Exception as error:  # noqa: BLE001  # the outermost loop of a job: nothing may end the worker
            await self._settle(work, error)

    async def _carry_out(self, work: Work, stopping: asyncio.Event) -> None:
        job = work.job
        tried = max(job["strikes"] - 1, job["restarts"])
        if job["kind"] in SHOWN and tried >= self.max_attempts:
            await self._fail(work, exhausted(tried))
        elif job["kind"] == "reindex":
            await self.pipeline.authority.ask_budget(work)
            await self.reindexing.run(work, stopping)
            metrics.FINISHED.labels("ready").inc()
        elif job["kind"] == "tenant_deletion":
            await self.pipeline.authorised(
                work, "gateway", lambda token: self.tenant_deletion.carry_out(job, work.lease, token)
            )
            metrics.FINISHED.labels("ready").inc()
        elif job["kind"] != "document":
            await self.pipeline.authorised(
                work, "retriever", lambda token: self.deletions.carry_out(job, work.lease, token)
            )
        elif not work.revision:
            await self.ledger.superseded(work, Failure(code="deleted", message="The document was deleted."))
        else:
            await asyncio.to_thread(self.room.check)
            await self.pipeline.authority.ask_budget(work)
            await self.pipeline.run(work, stopping)
            metrics.FINISHED.labels("ready").inc()

    async def _settle(self, work: Work, error: Exception) -> None:
        ours = type(error).__module__.startswith(("ingest.", "extraction."))
        if not ours and not isinstance(error, ServiceError | ServiceAway):
            log.error("job failed unexpectedly", exc_info=error)
        outcome = decide(
            error,
            waited=self._waited(work),
            strikes=work.job["strikes"],
            max_wait=self.max_wait_seconds,
            max_attempts=self.max_attempts,
        )
        if work.job["kind"] not in SHOWN and isinstance(outcome, Fail | Supersede):
            outcome = TryAgain(backoff(work.job["strikes"]))  # what must go from the index goes, however long it takes
        log.info("job interrupted", reason=str(error)[:300], outcome=type(outcome).__name__)
        if isinstance(outcome, Wait):
            metrics.PUT_BACK.labels("waiting").inc()
            await self._write(self.ledger.put_back(work, outcome.seconds, outcome.service, blameless=True))
        elif isinstance(outcome, Fail):
            await self._write(self._fail(work, outcome.failure, self.reading if outcome.unreadable else None))
        elif isinstance(outcome, Supersede):
            metrics.FINISHED.labels("cancelled").inc()
            await self._write(self.ledger.superseded(work, outcome.failure))
        else:
            metrics.PUT_BACK.labels("error").inc()
            await self._write(self.ledger.put_back(work, outcome.seconds, None, blameless=False))

    async def _fail(self, work: Work, failure: Failure, unreadable_by: str | None = None) -> None:
        metrics.FINISHED.labels("failed").inc()
        await self.ledger.failed(work, failure, unreadable_by)

    async def _write(self, write: Coroutine[Any, Any, None]) -> None:
        """A last write; if it fails, the lease expires and another worker finds the job as it is."""
        try:
            await write
        except LeaseLost:
            log.info("job was taken away")
        except (SQLAlchemyError, OSError) as error:
            log.error("the ledger can't be written; the lease will expire", error=repr(error)[:300])

    async def _with_heartbeat(self, work: Work, carried_out: Coroutine[Any, Any, None]) -> None:
        """Run the work while renewing its lease; when the lease is lost the work is stopped at once."""
        task = asyncio.create_task(carried_out)
        lost = False
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=self.ledger.lease_seconds / BEATS)
                if done:
                    break
                try:
                    await self.ledger.renew(work)
                    if await must_give_way(self.ledger, work):
                        work.give_way.set()
                except LeaseLost:
                    lost = True
                    break
                except (SQLAlchemyError, OSError) as error:
                    log.warning("heartbeat failed", error=repr(error)[:300])
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if lost and (task.cancelled() or task.exception() is not None):
            raise LeaseLost(work.lease.id)
        task.result()

    def _waited(self, work: Work) -> float:
        since: datetime | None = work.job["waiting_since"]
        return 0.0 if since is None else (self.ledger.clock.now() - since).total_seconds()


def _about(job: Mapping[str, Any]) -> Attributes:
    return {
        "groundwork.job_id": job["id"],
        "groundwork.tenant": job["tenant"],
        "groundwork.request_id": job["request_id"],
        "groundwork.collection": job["collection"],
        "groundwork.job_attempt": job["attempts"],
    }
