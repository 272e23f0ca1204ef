"""What a run may still use. Reaching a limit ends it with what it has so far."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from agent.runs.leased_run import LeasedRun
from agent.steps.state import PriceUnknown, RunState
from contracts.agents.agents import AgentLimits
from contracts.agents.runs import RunLimit
from contracts.models.catalog import ModelPrice
from contracts.models.chat import ChatUsage

NANO_IN_USD = Decimal(1_000_000_000)
NANO_A_TOKEN = Decimal(1000)
"""Nano-dollars a token for each dollar a million tokens."""


def exhausted_limit(limits: AgentLimits, run: LeasedRun, state: RunState) -> RunLimit | None:
    """The limit that stands before the next call of the model, if one does."""
    return "steps" if state.get("step", 0) >= limits.steps else spent_limit(run)


def spent_limit(run: LeasedRun) -> RunLimit | None:
    """The limit of tokens, money or time that a run has reached, if it has."""
    limits, counters = run.definition.limits, run.counters
    if counters["prompt_tokens"] + counters["completion_tokens"] >= limits.tokens:
        return "tokens"
    if limits.cost_usd is not None:
        if counters["cost_nano_usd"] is None:
            raise PriceUnknown
        if counters["cost_nano_usd"] >= limits.cost_usd * NANO_IN_USD:
            return "cost_usd"
    return "seconds" if run.active_seconds >= limits.seconds else None


def answer_tokens(limits: AgentLimits, run: LeasedRun, price: ModelPrice | None, prompt: int, most: int) -> int:
    """The most tokens that the model may answer with, so that the answer does not break the run's budgets.

    `prompt` is the estimated length of what it reads. At least 1: a call that is let through may answer.
    """
    counters = run.counters
    room: int = min(most, limits.tokens - counters["prompt_tokens"] - counters["completion_tokens"] - prompt)
    if limits.cost_usd is not None:
        if price is None or counters["cost_nano_usd"] is None:
            raise PriceUnknown
        left = limits.cost_usd * NANO_IN_USD - counters["cost_nano_usd"]
        left -= price.prompt_usd_per_million * NANO_A_TOKEN * prompt
        if price.completion_usd_per_million > 0:
            affordable: Decimal = left / (price.completion_usd_per_million * NANO_A_TOKEN)
            room = min(room, int(affordable))
    return max(1, room)


def spend(run: LeasedRun, usage: ChatUsage, price: ModelPrice | None, billed: Decimal | None = None) -> int | None:
    """Count what one call of the model used; its cost in nano-dollars, None where nobody knows the price.

    What the gateway reports of the cost counts first: it knows which model behind a route has answered.
    """
    counters = run.counters
    counters["prompt_tokens"] += usage.prompt_tokens
    counters["completion_tokens"] += usage.completion_tokens
    counters["model_calls"] += 1
    cost: int | None = None
    if billed is not None:
        cost = int((billed * NANO_IN_USD).to_integral_value(ROUND_CEILING))
    elif price is not None:
        dollars = price.prompt_usd_per_million * usage.prompt_tokens
        dollars += price.completion_usd_per_million * usage.completion_tokens
        cost = int((dollars * NANO_A_TOKEN).to_integral_value(ROUND_CEILING))
    known = counters["cost_nano_usd"]
    counters["cost_nano_usd"] = None if cost is None or known is None else known + cost
    return cost
