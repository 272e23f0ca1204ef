"""What becomes of a job when its work ends in an error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from contracts.documents import Failure
from extraction.model.failures import ParseFailed
from extraction.sandbox.pool import ForkServerLost
from ingest.errors import BlobBusy, BlobMissing, BlobStoreAway
from ingest.jobs.leased_job import Work
from servicekit.core.errors import DiskFull, ServiceError, is_disk_full

Result = TypeVar("Result")
GRANT_EXPIRED = Failure(
    code="grant_expired", message="The job's permission ran out before it was done. Retry the job.", retryable=True
)
DISK = "disk"
"""What a job waits for where there is no room."""
LONGEST_WAIT = 30.0
LONGEST_BACKOFF = 300.0
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


class GrantRefused(Exception):
    """The gateway does not exchange the job's grant: it is too old, or not one of the gateway's."""


class Stopping(Exception):
    """The worker ends, so that the job goes back to the queue between two batches."""


class Yielding(Exception):
    """A long job lets others go first."""


class GivingWay(Exception):
    """Another tenant waits for a slot, of which this one has more."""


def checkpoint(work: Work, stopping: asyncio.Event) -> None:
    """Raise `Stopping` or `GivingWay` if the job is to leave its slot: between two batches."""
    if stopping.is_set():
        raise Stopping
    if work.give_way.is_set():
        raise GivingWay


async def unless_giving_way(work: Work, doing: Awaitable[Result]) -> Result:
    """What comes of it; raises `GivingWay` as soon as the job is to leave its slot, and ends it then."""
    task, told = asyncio.ensure_future(doing), asyncio.ensure_future(work.give_way.wait())
    try:
        await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise GivingWay
        return task.result()
    finally:
        told.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


@dataclass(frozen=True, slots=True)
class Wait:
    """Queue the job until a service may be back; no attempt is counted."""

    service: str
    seconds: float


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Queue the job after a pause; this was an attempt."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fail:
    """End the job with a reason."""

    failure: Failure
    unreadable: bool = False
    """The bytes can't be read: the same parser with the same limits would only say so again."""


@dataclass(frozen=True, slots=True)
class Supersede:
    """End the job as cancelled."""

    failure: Failure


Outcome = Wait | TryAgain | Fail | Supersede


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
        if error.http_status == 429 or error.http_status > 500:
            named = error.code.removesuffix("_unreachable").removesuffix("_timeout")
            away = DISK if error.code == DiskFull.code else named if named != error.code else service
            raise ServiceAway(away, error.retry_after) from error
        raise


def decide(error: Exception, *, waited: float, strikes: int, max_wait: float, max_attempts: int) -> Outcome:
    """What to do: `waited` is how long the job has waited for services, `strikes` its claims without progress."""
    waits = _waits(error, waited, max_wait)
    if waits is not None:
        return waits
    if isinstance(error, GrantRefused):
        return Fail(GRANT_EXPIRED)
    if isinstance(error, ParseFailed):
        retryable = error.code in ("timeout", "parser_crashed")
        return Fail(Failure(code=error.code, message=error.message, retryable=retryable), unreadable=not retryable)
    if isinstance(error, ServiceError) and (error.http_status != 500 or isinstance(error, BlobMissing)):
        if error.code == "stale_revision":
            return Supersede(SUPERSEDED)
        retryable = error.code in ("key_revoked", "price_unknown", BlobMissing.code)
        return Fail(Failure(code=error.code, message=error.message, retryable=retryable))
    if strikes >= max_attempts:
        return Fail(exhausted(strikes))
    return TryAgain(backoff(strikes))


def _waits(error: Exception, waited: float, max_wait: float) -> Wait | Fail | None:
    """What to do about trouble that is not the job's own; null where it is."""
    error = _trouble(error)
    if isinstance(error, ServiceAway):
        if waited > max_wait:
            return Fail(_gave_up_waiting(error.service, waited))
        pause = min(LONGEST_WAIT, max(1.0, waited / 2))
        return Wait(error.service, max(pause, min(error.retry_after or 0.0, LONGEST_WAIT)))
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


def backoff(strikes: int) -> float:
    """Seconds before the next attempt."""
    return min(LONGEST_BACKOFF, 2.0 ** min(strikes, 16))


def exhausted(strikes: int) -> Failure:
    """The job was tried as often as is sensible."""
    message = f"This job was tried {strikes} times without getting further. The worker's log has the reason; retry it."
    return Failure(code="attempts_exhausted", message=message, retryable=True)


def _gave_up_waiting(service: str, waited: float) -> Failure:
    message = f"The {service} service has been away for {waited / 3600:.1f} hours. Retry the job when it is back."
    if service == DISK:
        message = f"The disk has been full for {waited / 3600:.1f} hours. Make room, then retry the job."
    return Failure(code=f"{service}_unavailable", message=message, retryable=True)
