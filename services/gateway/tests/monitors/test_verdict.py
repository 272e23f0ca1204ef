from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from contracts.improvement.monitors import MonitorCreate, MonitorFall, MonitorFigure
from contracts.models.experiments import Metric
from gateway.experiments.figures import VariantSums
from gateway.experiments.sequential import Sums
from gateway.monitors.figures import Windows
from gateway.monitors.verdict import falls_after, figure_of

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def _spec(metric: Metric, worst: float | None = None, **more: Any) -> MonitorCreate:
    return MonitorCreate(name="m", metrics={metric: worst}, **more)


def _sums(metric: Metric, good: int, bad: int, value: float = 1.0) -> VariantSums:
    sums = Sums()
    for each in [value] * good + [0.0] * bad:
        sums = sums.plus(each)
    return VariantSums(good + bad, good + bad, {metric: sums})


def _state(metric: Metric, now: VariantSums, before: VariantSums, worst: float | None = None) -> str:
    return figure_of(_spec(metric, worst), metric, now, before).state


def test_a_measure_falls_where_it_is_worse_in_its_own_direction_only() -> None:
    high, low = _sums("support", 190, 10), _sums("support", 100, 100)
    assert _state("support", low, high) == "fallen"
    assert _state("support", high, low) == "steady"
    many, few = _sums("error_rate", 100, 100), _sums("error_rate", 10, 190)
    assert _state("error_rate", many, few) == "fallen"
    assert _state("error_rate", few, many) == "steady"


def test_it_waits_for_thirty_on_both_sides_and_a_number_needs_no_baseline() -> None:
    bad, none = _sums("support", 0, 60), VariantSums()
    assert _state("support", bad, none) == "waiting"
    assert _state("support", _sums("support", 0, 29), _sums("support", 60, 0)) == "waiting"
    assert _state("support", bad, none, worst=0.9) == "fallen"
    assert _state("support", _sums("support", 58, 2), none, worst=0.9) == "steady"
    assert _state("latency_ms", _sums("latency_ms", 60, 0, 900.0), none, worst=500.0) == "fallen"
    assert _state("latency_ms", _sums("latency_ms", 60, 0, 400.0), none, worst=500.0) == "steady"


@pytest.mark.parametrize("worst", [None, 0.9])
def test_who_looks_after_every_answer_finds_a_fall_of_equals_in_few_windows(worst: float | None) -> None:
    chance, fallen = Random(11), 0
    spec = _spec("support", worst, p=0.05)
    for _ in range(100):
        good = sum(chance.random() < 0.9 for _ in range(400))
        before, sums = _sums("support", good, 400 - good), Sums()
        for count in range(1, 401):
            sums = sums.plus(float(chance.random() < 0.9))
            now = VariantSums(count, count, {"support": sums})
            if figure_of(spec, "support", now, before).state == "fallen":
                fallen += 1
                break
    assert fallen <= 5


def test_a_fall_of_a_tenth_is_found_within_a_window() -> None:
    chance, sums = Random(3), Sums()
    for _ in range(1000):
        sums = sums.plus(float(chance.random() < 0.8))
    assert _state("support", VariantSums(1000, 1000, {"support": sums}), _sums("support", 4500, 500)) == "fallen"


def _figure(state: Any) -> dict[Metric, MonitorFigure]:
    return {"support": MonitorFigure(answers=50, people=50, value=0.5, expected=0.9, p=0.0001, state=state)}


def test_a_fall_stands_until_a_whole_window_is_without_it() -> None:
    spec = _spec("support")
    first, second, third = (Windows.at(MORNING + days * DAY, spec) for days in range(3))
    found = falls_after([], _figure("fallen"), first, MORNING)
    assert [(one.metric, one.at, one.window) for one in found] == [("support", MORNING, first.start)]
    for state in ("steady", "waiting"):
        assert falls_after(found, _figure(state), first, MORNING) == found
        assert falls_after(found, _figure(state), second, MORNING + DAY) == found
        assert falls_after(found, _figure(state), third, MORNING + 2 * DAY) == []


def test_a_fall_that_goes_on_keeps_what_was_found_first() -> None:
    windows = Windows.at(MORNING + DAY, _spec("support"))
    old = MonitorFall(metric="support", value=0.4, expected=0.9, p=0.0002, at=MORNING, window=windows.start - DAY)
    (found,) = falls_after([old], _figure("fallen"), windows, MORNING + DAY)
    assert (found.at, found.value, found.window) == (MORNING, 0.4, windows.start)
