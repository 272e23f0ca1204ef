"""A caller's times are dates and RFC 3339, never seconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.core.base import Moment

MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@pytest.mark.parametrize("given", ["2026", "0.5", "-1", "1e9", " 1700000000 ", 1.5, 0, True, None])
def test_a_number_is_no_time(given: object) -> None:
    with pytest.raises(ValidationError, match="must be a date or a time such as 2026-01-31T12:00:00Z"):
        MOMENT.validate_python(given)


@pytest.mark.parametrize("given", ["2026-01-31", "2026-01-31T00:00:00", "2026-01-31T00:00:00Z"])
def test_a_date_is_the_beginning_of_its_day(given: str) -> None:
    assert MOMENT.validate_python(given).replace(tzinfo=UTC) == datetime(2026, 1, 31, tzinfo=UTC)
