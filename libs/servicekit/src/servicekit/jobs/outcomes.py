"""What becomes of a job whose work did not come to its end: it waits, is tried again, is requeued, fails or is
cancelled."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.documents.documents import Failure
from servicekit.core.errors import ServiceError


class Interruption(Exception):
    """The job leaves its slot between two steps, through no fault of its own."""

    reason = "interrupted"
    behind = False
    """Whether it goes behind the jobs that wait already."""


class Stopping(Interruption):
    """The worker ends."""

    reason = "shutdown"


class GivingWay(Interruption):
    """Another tenant waits for a slot, of which this one has more."""

    reason = "giving_way"


class Yielding(Interruption):
    """A long job lets others go first."""

    reason, behind = "yielding", True


class Cancelled(Exception):
    """Somebody asked for the job to end."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Queue the job until what it needs may be there again; no attempt is counted."""

    service: str
    """What `waiting_on` says."""
    seconds: float


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Queue the job after a pause; this was an attempt."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Requeue:
    """Queue the job at once; no attempt is counted."""

    reason: str
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """End the job with a reason."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the job as cancelled, because somebody asked for it, or as pointless, with a reason."""

    failure: Failure | None = None


Ending = Fail | Cancel
Outcome = Wait | TryAgain | Requeue | Ending


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a kind of job is tried, and how long it waits. In seconds."""

    max_attempts: int
    """Claims in a row without progress after which a job fails."""
    max_wait: float
    """How long it waits for a service that is away."""
    first_wait: float = 1.0
    longest_wait: float = 30.0
    longest_retry_after: float = 30.0
    """A service's own `Retry-After` is kept to as far as this."""
    longest_backoff: float = 300.0
    exhausted: str = "This job was tried {} times without getting further. The worker's log has the reason; retry it."

    def decide(self, error: Exception, *, waited: float, failed_attempts: int) -> Outcome:
        """What an error means where a kind knows no better."""
        if isinstance(error, ServiceError):
            service = service_away(error)
            if service is not None:
                return self.wait(service, waited, error.retry_after) or Fail(failure_of(error, retryable=True))
            if error.http_status != 500:
                return Fail(failure_of(error))
        return self.try_again(failed_attempts)

    def wait(self, service: str, waited: float, retry_after: float | None = None) -> Wait | None:
        """Wait for a service, half as long again as until now; null after `max_wait`."""
        if waited > self.max_wait:
            return None
        pause = min(self.longest_wait, max(self.first_wait, waited / 2))
        return Wait(service, max(pause, min(retry_after or 0.0, self.longest_retry_after)))

    def try_again(self, failed_attempts: int) -> TryAgain | Fail:
        """Try again after a pause that doubles, or fail after the last attempt."""
        if failed_attempts >= self.max_attempts:
            return self.give_up(failed_attempts)
        return TryAgain(self.backoff(failed_attempts))

    def give_up(self, failed_attempts: int) -> Fail:
        """The job was tried as often as is sensible."""
        message = self.exhausted.format(failed_attempts)
        return Fail(Failure(code="attempts_exhausted", message=message, retryable=True))

    def backoff(self, failed_attempts: int) -> float:
        """Seconds before the next attempt."""
        return min(self.longest_backoff, 2.0 ** min(failed_attempts, 16))


def service_away(error: ServiceError, caller: str | None = None) -> str | None:
    """The service that is unreachable, overloaded or failing, if the error says so: `caller` (the one that was called)
    or the one that it passes the error on of. A 500 is neither: the service is there and breaks on this call.
    """
    if error.http_status != 429 and error.http_status <= 500:
        return None
    named = error.code.removesuffix("_unreachable").removesuffix("_timeout")
    return (named if named != error.code or caller is None else caller)[:40]


def failure_of(error: ServiceError, *, retryable: bool = False) -> Failure:
    """An error as a job's reason."""
    return Failure(code=error.code, message=error.message, retryable=retryable)
