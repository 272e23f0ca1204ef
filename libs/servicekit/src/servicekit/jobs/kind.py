"""What a kind of job brings to the machine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from servicekit.core.errors import ServiceError
from servicekit.jobs.leased_job import Change, JobStore, LeasedJob
from servicekit.jobs.leases import Lease
from servicekit.jobs.outcomes import Ending, Fail, Outcome, RetryPolicy
from servicekit.sql.transaction import Transaction
from servicekit.telemetry.spans import NONE, Attributes, Span, enter
from servicekit.telemetry.trace_context import TraceContext

Job = TypeVar("Job", bound=LeasedJob)


class JobKind(ABC, Generic[Job]):
    """One table's jobs: how one is loaded, worked on and ended. Knows nothing of queues and workers."""

    retry: RetryPolicy

    @property
    @abstractmethod
    def name(self) -> str:
        """As logs and spans name it."""

    def claiming(self) -> Mapping[str, Any]:
        """Columns that a claim sets beside its own."""
        return {}

    @abstractmethod
    async def load(self, connection: Transaction, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> Job:
        """The job that was just claimed, with what else must be read or changed in the claim's transaction."""

    @abstractmethod
    async def run(self, job: Job) -> None:
        """Carry the job out from its last step to its end, which it writes by `job.releasing`.

        It calls `job.checkpoint()` between steps and raises what goes wrong.
        """

    @abstractmethod
    async def end(self, job: Job, ending: Ending) -> None:
        """End the job as failed or cancelled, by `job.releasing`, with all that this means for other rows."""

    def decide(self, job: Job, error: Exception) -> Outcome:
        """What becomes of a job that `run` raised this of."""
        return self.retry.decide(error, waited=job.waited, failed_attempts=job.failed_attempts)

    def expects(self, error: Exception) -> bool:
        """Whether work breaks off so without a fault in the program. What is unexpected is logged with its traceback,
        whatever becomes of the job.
        """
        return isinstance(error, ServiceError)

    def tried(self, job: Job) -> int:
        """How often it was tried in vain before this claim."""
        return job.failed_attempts - 1

    def give_up(self, job: Job) -> Fail:
        """What it fails with, once it was tried as often as is sensible."""
        return self.retry.give_up(self.tried(job))

    async def before_release(self, job: Job, outcome: Outcome) -> None:
        """What must be known or written before the lease goes, bounded in time."""

    def log_fields(self, job: Job) -> Mapping[str, Any]:
        """What each log line says of the job that is worked on."""
        row = job.row
        return {
            "job_id": job.id,
            "tenant": job.tenant,
            "request_id": row["request_id"],
            "attempt": row["attempts"],
        }

    def span(self, job: Job) -> Span:
        """The span of this attempt, under the call that made the job."""
        row = job.row
        about = {
            "groundwork.job_id": job.id,
            "groundwork.tenant": job.tenant,
            "groundwork.request_id": row["request_id"],
            "groundwork.job_attempt": row["attempts"],
        }
        return enter(f"job {self.name}", "consumer", TraceContext.read(row["traceparent"]), about)

    def used(self, job: Job) -> Attributes:
        """What the span says once the attempt is over."""
        return NONE


class Observer(Generic[Job]):
    """Told of what the machine does, for a service's metrics. This one counts nothing."""

    def looked(self) -> None:
        """The worker looked for jobs."""

    def slots(self, busy: int, free: int) -> None:
        """The worker's slots, whenever they change."""

    def claimed(self, job: Job) -> None:
        """A job was claimed."""

    def requeued(self, reason: str) -> None:
        """A job goes on later: `waiting`, `error`, or an interruption's reason."""

    def ended(self, ending: Ending) -> None:
        """A job ended as failed or cancelled."""

    def lost(self) -> None:
        """A job was taken over by another worker, or ended by somebody."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a step has to write: values of the job's row, and other changes in the same transaction."""

    values: Mapping[str, Any] = field(default_factory=dict)
    changes: Sequence[Change] = ()


async def run_steps(job: Job, steps: Sequence[Callable[[Job], Awaitable[Done]]], column: str = "steps_done") -> None:
    """Carry out the steps that are not done, each written down with what it came to before the next begins."""
    for number, step in enumerate(steps[job.row[column] :], job.row[column] + 1):
        job.checkpoint()
        done = await step(job)
        await job.write(*done.changes, values={**done.values, column: number}, progress=True)
