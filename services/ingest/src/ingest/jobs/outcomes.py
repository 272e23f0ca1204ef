"""What becomes of a job when its work ends in an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from contracts.documents.documents import Failure
from extraction.model.failures import ParseFailed
from extraction.sandbox.pool import ForkServerLost
from ingest.errors import BlobBusy, BlobMissing, BlobStoreAway
from servicekit.core.errors import DiskFull, ServiceError, is_disk_full
from servicekit.jobs.outcomes import Cancel, Fail, Outcome, RetryPolicy, Wait, failure_of, service_away

GRANT_EXPIRED = Failure(
    code="grant_expired", message="The job's permission ran out before it was done. Retry the job.", retryable=True
)
DISK = "disk"
"""What a job waits for where there is no room."""
CANCELLATION = "cancellation"
"""What a job waits for whose index is built to be tried."""
BUILT_LOOK_SECONDS = 15.0
"""Between two looks whether such an index lacks a document that came meanwhile."""
LONGEST_BUDGET_WAIT = 60.0
"""Between two looks whether a budget has anything left."""
SUPERSEDED = Failure(
    code="superseded", message="The index has a newer revision of this document, or it was deleted.", retryable=False
)


class ServiceAway(Exception):
    """A service down the line is unreachable, overloaded or failing: wait for it, it is not the job's fault."""

    def __init__(self, service: str, retry_after: float | None) -> None:
        super().__init__(service)
        self.service = service
        self.retry_after = retry_after


class BudgetSpent(Exception):
    """A budget of the job's key or tenant leaves too little for what comes next: wait until it has more."""


class TokenRefused(Exception):
    """A service does not accept the token (any more)."""


class Built(Exception):
    """An index is whole that is not to serve: it stays until its job is cancelled."""


class GrantRefused(Exception):
    """The gateway does not exchange the job's grant: it is too old, or not one of the gateway's."""


@dataclass(frozen=True, slots=True)
class Unreadable(Fail):
    """The bytes can't be read: the same parser with the same limits would only say so again."""


@contextmanager
def calling(service: str) -> Iterator[None]:
    """Turn a service's trouble into `ServiceAway`, its refusal of our token into `TokenRefused`, and a budget that is
    spent, whoever says so, into `BudgetSpent`.

    A 500 is neither: the service is there and breaks on this call, so that trying it is an attempt.

    Where a service passes on that another one is away, that other one is named.
    """
    try:
        yield
    except ServiceError as error:
        if error.http_status == 401:
            raise TokenRefused from error
        if error.body(None).type == "budget_exceeded":
            raise BudgetSpent from error
        away = DISK if error.code == DiskFull.code else service_away(error, service)
        if away is not None:
            raise ServiceAway(away, error.retry_after) from error
        raise


def decide(policy: RetryPolicy, error: Exception, *, waited: float, failed_attempts: int) -> Outcome:
    """What to do: `waited` is how long the job has waited for services, `failed_attempts` its claims in vain."""
    if isinstance(error, Built):
        return Wait(CANCELLATION, BUILT_LOOK_SECONDS)
    waits = _waits(policy, _trouble(error), waited)
    if waits is not None:
        return waits
    if isinstance(error, GrantRefused):
        return Fail(GRANT_EXPIRED)
    if isinstance(error, ParseFailed):
        retryable = error.code in ("timeout", "parser_crashed")
        failure = Failure(code=error.code, message=error.message, retryable=retryable)
        return Fail(failure) if retryable else Unreadable(failure)
    if isinstance(error, ServiceError) and (error.http_status != 500 or isinstance(error, BlobMissing)):
        if error.code == "stale_revision":
            return Cancel(SUPERSEDED)
        return Fail(failure_of(error, retryable=error.code in ("key_revoked", "price_unknown", BlobMissing.code)))
    return policy.try_again(failed_attempts)


def _waits(policy: RetryPolicy, error: Exception, waited: float) -> Wait | Fail | None:
    """What to do about trouble that is not the job's own; null where it is."""
    if isinstance(error, ServiceAway):
        return policy.wait(error.service, waited, error.retry_after) or Fail(_gave_up_waiting(error.service, waited))
    if isinstance(error, BudgetSpent):  # until the period ends, the budget is raised or the job is cancelled
        return Wait("budget", min(LONGEST_BUDGET_WAIT, max(1.0, waited / 2)))
    return None


def _trouble(error: Exception) -> Exception:
    """What is the machine's or a store's trouble, and no document's, as something to wait for; else the error."""
    if is_disk_full(error):
        return ServiceAway(DISK, None)
    if isinstance(error, ForkServerLost | OSError):
        return ServiceAway("worker", None)  # no process to be had, say
    if isinstance(error, BlobStoreAway | BlobBusy):
        return ServiceAway("blob_store", error.retry_after)
    return error


def _gave_up_waiting(service: str, waited: float) -> Failure:
    message = f"The {service} service has been away for {waited / 3600:.1f} hours. Retry the job when it is back."
    if service == DISK:
        message = f"The disk has been full for {waited / 3600:.1f} hours. Make room, then retry the job."
    return Failure(code=f"{service}_unavailable", message=message, retryable=True)
