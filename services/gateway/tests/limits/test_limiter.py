from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.limits.limiter import BudgetWindow, Gate, period_of


@pytest.mark.parametrize(
    ("window", "moment", "since", "until"),
    [
        ("day", "2026-02-28T23:59:59.999999", "2026-02-28", "2026-03-01"),
        ("day", "2026-03-01T00:00:00", "2026-03-01", "2026-03-02"),
        ("month", "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        ("month", "2026-01-31T23:59:00", "2026-01-01", "2026-02-01"),
        ("month", "2026-12-31T00:00:00", "2026-12-01", "2027-01-01"),
    ],
)
def test_a_period_begins_at_midnight_and_ends_where_the_next_begins(
    window: BudgetWindow, moment: str, since: str, until: str
) -> None:
    period = period_of(window, datetime.fromisoformat(f"{moment}+00:00"))
    assert [f"{bound:%Y-%m-%dT%H:%M:%S}" for bound in (period.since, period.until)] == [
        f"{since}T00:00:00",
        f"{until}T00:00:00",
    ]
    assert period_of(window, period.since) == period
    assert period_of(window, period.until).since == period.until


def test_a_gate_is_the_same_whatever_its_limit_is_and_another_in_another_period() -> None:
    day, month = (period_of(window, datetime(2026, 11, 1, tzinfo=UTC)) for window in ("day", "month"))
    gates = [Gate("budget", "key", "k1", 5, day), Gate("budget", "key", "k1", 7, day)]
    assert len({gate.identity for gate in gates}) == 1
    others = [
        Gate("budget", "key", "k1", 5, month),
        Gate("budget", "tenant", "k1", 5, day),
        Gate("budget", "key", "k2", 5, day),
        Gate("tokens", "key", "k1", 5),
        Gate("requests", "key", "k1", 5),
    ]
    assert len({gate.identity for gate in (*gates, *others)}) == 1 + len(others)
    assert gates[0].identity == "budget:key:k1:day:2026-11-01"
