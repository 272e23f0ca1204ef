from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.limits.errors import (
    BudgetExceeded,
    CallTooLarge,
    LedgerUnavailable,
    LimitReached,
    LimitsUnavailable,
    PriceUnknown,
    TooManyAtOnce,
    TooManyRequests,
    TooManyTokens,
)

HEADERS = {"X-RateLimit-Limit-Requests": "5"}
RESETS = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("whose", ["key", "tenant", "model"])
def test_a_limit_that_is_reached_says_whose_it_is_and_when_to_come_back(whose: str) -> None:
    errors: dict[str, LimitReached] = {
        "requests_per_minute": TooManyRequests(5, whose, 0.2, HEADERS),
        "tokens_per_minute": TooManyTokens(5, whose, 0.2, HEADERS),
        "concurrency": TooManyAtOnce(5, whose, 0.2, HEADERS),
    }
    for what, error in errors.items():
        assert (error.code, error.http_status, error.body(None).type) == (f"{whose}_{what}", 429, "rate_limited")
        assert f"his {whose} " in error.message
        assert error.headers() == {"Retry-After": "1", **HEADERS}


@pytest.mark.parametrize(
    ("limit", "dollars"), [(1_000_000_000, "1 USD a month"), (1_500_000, "0.0015 USD a month"), (0, "0 USD a month")]
)
def test_a_budget_is_told_in_dollars_and_its_end_in_utc(limit: int, dollars: str) -> None:
    error = BudgetExceeded("tenant", "month", limit, RESETS, 3600, HEADERS)
    assert (error.code, error.body(None).type) == ("tenant_month_budget", "budget_exceeded")
    assert dollars in error.message
    assert "2026-12-01T00:00:00Z" in error.message
    assert error.headers()["Retry-After"] == "3600"


def test_what_no_waiting_would_let_in_is_the_callers_to_change_and_names_no_time() -> None:
    for error in (CallTooLarge(200, 100, "key"), PriceUnknown("m", "key"), PriceUnknown(None, "key")):
        assert (error.http_status, error.headers()) == (400, {})
    assert "the models of this call" in PriceUnknown(None, "key").message


def test_books_that_are_away_are_not_the_callers_fault() -> None:
    for error in (LedgerUnavailable(), LimitsUnavailable()):
        assert (error.http_status, error.headers()) == (503, {"Retry-After": "5"})
