"""What becomes of a run when its work breaks off with an error."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.errors import AgentUnreadable
from agent.runs.leased_run import LeasedRun
from agent.sanitisation.sanitiser import sanitise
from agent.steps.budgets import spent_limit
from agent.steps.state import PriceUnknown
from contracts.agents.runs import RunLimit
from contracts.documents.documents import Failure
from servicekit.core.errors import ServiceError
from servicekit.jobs.outcomes import Fail, Outcome, RetryPolicy, TryAgain, Wait, service_away

WAITABLE_RETRY_SECONDS = 120.0
"""A limit that opens again within so long is waited for; a budget of the day is not."""
EXHAUSTED = "The run was tried {} times without getting further. The agent service's log has the reason."
PRICE_UNKNOWN = Failure(
    code="price_unknown",
    message="The agent has a limit of money, but nobody knows its model's price. Give the model a price, or take "
    "limits.cost_usd out.",
)

AT_LIMIT = Failure(code="limit_reached", message="The run reached a limit.")
SHORTEST_PAUSE = 1.0
"""Of a run that has less time left than this, nothing is tried again."""


def retry_policy(attempts: int, wait_seconds: float) -> RetryPolicy:
    """How often runs are tried, and how long they wait for a service."""
    return RetryPolicy(
        attempts,
        wait_seconds,
        first_wait=0.5,
        longest_retry_after=WAITABLE_RETRY_SECONDS,
        longest_backoff=60.0,
        exhausted=EXHAUSTED,
    )


@dataclass(frozen=True, slots=True)
class LimitReached(Fail):
    """End the run at a limit, which it reached while something was away."""

    limit: RunLimit = "seconds"


def decide(policy: RetryPolicy, run: LeasedRun, error: Exception) -> Outcome:
    """What to do about an error. A pause counts as time of the run: it is no longer than what is left of it."""
    outcome = _decide(policy, run, error)
    left = run.seconds_left
    if not isinstance(outcome, Wait | TryAgain) or left is None:
        return outcome
    if (limit := spent_limit(run)) is not None:
        return LimitReached(AT_LIMIT, limit)
    if outcome.seconds < left:
        return outcome
    return replace(outcome, seconds=left / 2) if left > SHORTEST_PAUSE else LimitReached(AT_LIMIT)


def _decide(policy: RetryPolicy, run: LeasedRun, error: Exception) -> Outcome:
    if isinstance(error, PriceUnknown):
        return Fail(PRICE_UNKNOWN)
    if isinstance(error, ServiceError):
        away = service_away(error) if _is_waitable(error) else None
        if away is not None:
            return policy.wait(away, run.waited, error.retry_after) or Fail(_failure(error, retryable=True))
        if error.http_status != 500:
            return Fail(_failure(error, retryable=error.http_status == 429))
    again = policy.try_again(run.failed_attempts)
    if isinstance(again, Fail) and isinstance(error, AgentUnreadable):
        return Fail(_failure(error))  # its words are for the caller, though another replica might have got further
    return again


def _is_waitable(error: ServiceError) -> bool:
    """Whether it is no limit that stays closed for long."""
    is_budget = error.http_status == 429 and error.body(None).type == "budget_exceeded"
    return not is_budget and (error.http_status != 429 or (error.retry_after or 0.0) <= WAITABLE_RETRY_SECONDS)


def _failure(error: ServiceError, *, retryable: bool = False) -> Failure:
    """The reason as people read it: an error may quote what a model or another computer wrote."""
    return Failure(code=error.code, message=sanitise(error.message), retryable=retryable)
