"""Runs one claimed job under a heartbeat, and sees to what becomes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bound_contextvars

from servicekit.jobs.fairness import SlotShares
from servicekit.jobs.kind import Job, Observer
from servicekit.jobs.leases import LeaseLost
from servicekit.jobs.outcomes import Cancel, Cancelled, Interruption, Outcome, Requeue, TryAgain, Wait
from servicekit.jobs.queue import Queue
from servicekit.telemetry.spans import Span

log = structlog.get_logger(__name__)
Result = TypeVar("Result")
BEATS = 3
"""Heartbeats in the length of a lease."""
RELEASE_SECONDS = 3.0
"""How long a worker that ends may take to requeue a job that did not come to the end of its step."""


class Runner(Generic[Job]):
    """Runs jobs; whatever happens in one stays in it."""

    def __init__(
        self, queue: Queue[Job], observer: Observer[Job] | None = None, shares: SlotShares | None = None
    ) -> None:
        """With `shares` a job may have to give way to other tenants' jobs."""
        self.queue = queue
        self.kind = queue.kind
        self.observer = observer or Observer()
        self._shares = shares

    async def run(self, job: Job, stopping: asyncio.Event) -> None:
        """Run one job until it ends, is requeued or belongs to another worker. Never raises, unless it is cancelled."""
        job.stopping = stopping
        with bound_contextvars(**self.kind.log_fields(job)), self.kind.span(job) as span:
            try:
                await self._carry_out(job, span)
            except asyncio.CancelledError:
                if stopping.is_set():
                    await asyncio.shield(self._release(job))
                raise
            except LeaseLost:
                self.observer.lost()
                log.info("job was taken over or ended")
            except (SQLAlchemyError, OSError) as error:
                log.error("the job can't be written; its lease will expire", error=repr(error)[:300])
            finally:
                span.set(self.kind.used(job))

    async def _carry_out(self, job: Job, span: Span) -> None:
        try:
            if job.row.get("cancel_requested"):
                raise Cancelled
            if self.kind.tried(job) < self.kind.retry.max_attempts:
                return await self._with_heartbeat(job, self.kind.run(job))
            outcome: Outcome = self.kind.give_up(job)
        except LeaseLost:
            raise
        except Interruption as interruption:
            outcome = Requeue(interruption.reason, interruption.behind)
        except Cancelled:
            outcome = Cancel()
        except Exception as error:  # noqa: BLE001  # the outermost loop of a job: nothing may end the worker
            span.fail(error)
            outcome = self._decide(job, error)
        await self._settle(job, outcome)
        return None

    def _decide(self, job: Job, error: Exception) -> Outcome:
        outcome = self.kind.decide(job, error)
        log.info("job interrupted", reason=str(error)[:300], outcome=type(outcome).__name__)
        if not self.kind.expects(error):
            log.error("job failed unexpectedly", exc_info=error)
        return outcome

    async def _settle(self, job: Job, outcome: Outcome) -> None:
        await self.kind.before_release(job, outcome)
        if isinstance(outcome, Wait):
            self.observer.requeued("waiting")
            await self.queue.requeue(job, outcome.seconds, outcome.service)
        elif isinstance(outcome, TryAgain):
            self.observer.requeued("error")
            await self.queue.requeue(job, outcome.seconds, "retry", count_attempt=True)
        elif isinstance(outcome, Requeue):
            self.observer.requeued(outcome.reason)
            await self.queue.requeue(job, behind=outcome.behind)
        else:
            self.observer.ended(outcome)
            await self.kind.end(job, outcome)

    async def _release(self, job: Job) -> None:
        """The worker ends in the middle of a step: another one may go on at once, and no attempt is counted."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._settle(job, Requeue("shutdown"))
        except LeaseLost:
            return  # it has ended or waits already: only the answer to that was cut off
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("job not requeued; it is taken over when its lease has ended", error=repr(error)[:300])

    async def _with_heartbeat(self, job: Job, work: Coroutine[Any, Any, Result]) -> Result:
        """Do the work while renewing the lease; when that is lost or the job cancelled, the work is stopped at once."""
        task = asyncio.create_task(work)
        ending: Exception | None = None
        every = self.queue.store.lease_seconds / BEATS
        due = time.monotonic() + every  # however often it is notified meanwhile
        try:
            with self.queue.store.notifier.subscribe(job.id) as subscription:
                while ending is None:
                    news = asyncio.create_task(subscription.wait(max(0.0, due - time.monotonic())))
                    await asyncio.wait({task, news}, return_when=asyncio.FIRST_COMPLETED)
                    if task.done():
                        news.cancel()
                        await asyncio.gather(news, return_exceptions=True)
                        break
                    if is_due := time.monotonic() >= due or not news.result():
                        due = time.monotonic() + every
                    ending = await self._beat(job, renew=is_due)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if ending is not None and (task.cancelled() or task.exception() is not None):
            raise ending
        return task.result()

    async def _beat(self, job: Job, *, renew: bool) -> Exception | None:
        """Renew the lease, or only look whether the job was cancelled; why the work must stop, if it must."""
        try:
            cancel = await (self.queue.renew(job) if renew else self.queue.cancel_requested(job))
            if renew and self._shares is not None and await self._shares.must_give_way(job):
                job.give_way.set()
        except LeaseLost as lost:
            return None if job.is_released else lost
        except (SQLAlchemyError, OSError) as error:
            log.warning("heartbeat failed", error=repr(error)[:300])
            return None
        return Cancelled() if cancel and not job.is_released else None
