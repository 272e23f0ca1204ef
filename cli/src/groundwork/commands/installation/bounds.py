"""Limits and budgets as they are typed, of keys and of tenants."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

import typer

from contracts.access.keys import Budget
from groundwork.errors import GroundworkError

NONE = "none"
MOST_DIGITS = 18
RequestsPerMinute = Annotated[str | None, typer.Option("--requests-per-minute", metavar="N", help="Or `none`.")]
TokensPerMinute = Annotated[str | None, typer.Option("--tokens-per-minute", metavar="N", help="Or `none`.")]
Concurrency = Annotated[str | None, typer.Option("--concurrency", metavar="N", help="Calls at once, or `none`.")]
DayBudget = Annotated[str | None, typer.Option("--usd-a-day", metavar="USD", help="Budget of a day (UTC), or `none`.")]
MonthBudget = Annotated[str | None, typer.Option("--usd-a-month", metavar="USD", help="Budget of a month, or `none`.")]


def said_of_budgets(budgets: Iterable[Budget]) -> str:
    """As in `5 USD a day, 50 USD a month`."""
    return ", ".join(f"{budget.usd} USD a {budget.window}" for budget in budgets)


def parse_limits(requests: str | None, tokens: str | None, concurrency: str | None) -> dict[str, int | None]:
    """Only what was given; `none` as null. Raises `GroundworkError`, as the next one."""
    given = {"requests_per_minute": requests, "tokens_per_minute": tokens, "concurrency": concurrency}
    return {name: _whole(name, value) for name, value in given.items() if value is not None}


def _whole(name: str, value: str) -> int | None:
    if value == NONE:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > MOST_DIGITS or int(value) < 1:
        option = name.replace("_", "-")
        raise GroundworkError(
            f"--{option} must be a whole number from 1, of {MOST_DIGITS} digits at most, or none; it is '{value[:50]}'."
        )
    return int(value)


def parse_budgets(day: str | None, month: str | None, now: list[Budget]) -> list[Budget]:
    """The budgets there are now, with what was given put in."""
    usd: dict[Literal["day", "month"], Decimal] = {budget.window: budget.usd for budget in now}
    given: tuple[tuple[Literal["day", "month"], str | None], ...] = (("day", day), ("month", month))
    for window, value in given:
        if value == NONE:
            usd.pop(window, None)
        elif value is not None:
            usd[window] = _dollars(window, value)
    return [Budget(window=window, usd=amount) for window, amount in usd.items()]


def _dollars(window: str, value: str) -> Decimal:
    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or not 0 <= amount <= 1_000_000:
        raise GroundworkError(f"--usd-a-{window} must be 0 to 1000000, or none; it is '{value[:50]}'.")
    return amount
