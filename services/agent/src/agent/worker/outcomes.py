"""What becomes of a run when its work breaks off with an error."""

from __future__ import annotations

from dataclasses import dataclass

from agent.errors import AgentUnreadable
from agent.sanitisation.sanitiser import sanitise
from agent.steps.state import PriceUnknown
from contracts.documents import Failure
from servicekit.core.errors import ServiceError

LONGEST_WAIT = 30.0
LONGEST_BACKOFF = 60.0
WAITABLE_RETRY_SECONDS = 120.0
"""A limit that opens again within so long is waited for; a budget of the day is not."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Queue the run until a service may be back; no try is counted."""

    service: str
    seconds: float


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Queue the run after a pause; this was a try."""

    seconds: float


@dataclass(frozen=True, slots=True)
class End:
    """End the run with a reason."""

    failure: Failure


def decide(
    error: Exception, *, waited: float, strikes: int, max_wait: float, max_attempts: int
) -> Wait | TryAgain | End:
    """What to do: `waited` is how long the run has waited for services, `strikes` its tries without progress."""
    if isinstance(error, PriceUnknown):
        return End(
            Failure(
                code="price_unknown",
                message="The agent has a limit of money, but nobody knows its model's price. Give the model a price, "
                "or take limits.cost_usd out.",
            )
        )
    if isinstance(error, ServiceError):
        away = _away(error)
        if away is not None:
            if waited > max_wait:
                return End(_failure(error, retryable=True))
            pause = min(LONGEST_WAIT, max(0.5, waited / 2))
            return Wait(away, max(pause, min(error.retry_after or 0.0, WAITABLE_RETRY_SECONDS)))
        if error.http_status != 500:
            return End(_failure(error, retryable=error.http_status == 429))
    if strikes >= max_attempts:
        return End(_last_reason(error) or exhausted(strikes))
    return TryAgain(min(LONGEST_BACKOFF, 2.0 ** min(strikes, 16)))


def exhausted(strikes: int) -> Failure:
    """The run was tried as often as is sensible."""
    message = f"The run was tried {strikes} times without getting further. The agent service's log has the reason."
    return Failure(code="attempts_exhausted", message=message, retryable=True)


def _failure(error: ServiceError, *, retryable: bool = False) -> Failure:
    """The reason as people read it: an error may quote what a model or another computer wrote."""
    return Failure(code=error.code, message=sanitise(error.message), retryable=retryable)


def _last_reason(error: Exception) -> Failure | None:
    """Of an error whose words are for the caller though another replica might have got further."""
    return _failure(error) if isinstance(error, AgentUnreadable) else None


def _away(error: ServiceError) -> str | None:
    """The service that is away or busy for now, if that is what the error says."""
    if error.http_status == 429 and error.body(None).type == "budget_exceeded":
        return None
    if error.http_status == 429 and (error.retry_after or 0.0) > WAITABLE_RETRY_SECONDS:
        return None
    if error.http_status == 429 or error.http_status > 500:
        return error.code.removesuffix("_unreachable").removesuffix("_timeout")[:40]
    return None
