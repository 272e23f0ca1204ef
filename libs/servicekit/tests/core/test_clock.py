from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from servicekit.core.clock import ManualClock, SystemClock


def test_a_manual_clock_moves_only_when_it_is_told_to_and_by_fractions_too() -> None:
    clock = ManualClock()
    begun = clock.now()
    assert clock.now() == begun
    clock.advance(0.25)
    clock.advance(60)
    assert clock.now() - begun == timedelta(seconds=60.25)


def test_a_manual_clock_begins_where_it_is_set() -> None:
    start = datetime(2031, 5, 6, tzinfo=timezone(timedelta(hours=2)))
    assert ManualClock(start).now() == start
    assert ManualClock().now() == ManualClock().now(), "each test begins at the same moment"


def test_every_clock_tells_which_zone_its_time_is_in() -> None:
    assert [clock.now().tzinfo for clock in (SystemClock(), ManualClock())] == [UTC, UTC]
