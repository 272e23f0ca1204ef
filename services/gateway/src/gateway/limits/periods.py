"""The periods of budgets: days and months in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.limits.limiter import BudgetWindow, Period


def period_of(window: BudgetWindow, moment: datetime) -> Period:
    """The day or month that a moment (UTC) is in."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if window == "day":
        return Period(window, day, day + timedelta(days=1))
    month = day.replace(day=1)
    return Period(window, month, (month + timedelta(days=32)).replace(day=1))
