from __future__ import annotations

from collections import Counter
from math import comb

import pytest

from contracts.models.routes import RouteSpec
from gateway.routing.split import Assignment, draw, unit_of

UNITS = [unit_of("smart", "user", "acme", f"person-{number}") for number in range(10_000)]


def _spec(**weights: int) -> RouteSpec:
    return RouteSpec.model_validate(
        {"targets": [{"model": name, "weight": weight} for name, weight in weights.items()]}
    )


def _drawn(spec: RouteSpec) -> list[str]:
    return [draw(spec, unit).variant for unit in UNITS]


def _binomial_bounds(count: int, share: float) -> tuple[int, int]:
    """Between which numbers of successes 99 % of all samples lie, exactly."""
    below, low, high = 0.0, None, count
    for number in range(count + 1):
        below += comb(count, number) * share**number * (1 - share) ** (count - number)
        if low is None and below > 0.005:
            low = number
        if below >= 0.995:
            high = number
            break
    return low or 0, high


def test_none_of_ten_thousand_people_ever_changes_its_variant() -> None:
    first = _drawn(_spec(a=1, b=1))
    turned_round = RouteSpec.model_validate({"targets": [{"model": "b"}, {"model": "a"}]})
    assert first == _drawn(_spec(a=1, b=1)) == _drawn(_spec(a=7, b=7)) == _drawn(turned_round)


@pytest.mark.parametrize("weights", [{"a": 1, "b": 1}, {"a": 9, "b": 1}, {"a": 2, "b": 3, "c": 5}])
def test_each_variant_gets_its_share_within_the_binomial_interval(weights: dict[str, int]) -> None:
    counts, total = Counter(_drawn(_spec(**weights))[:1000]), sum(weights.values())
    for name, weight in weights.items():
        low, high = _binomial_bounds(1000, weight / total)
        assert low <= counts[name] <= high, (name, counts, low, high)


def test_with_other_weights_only_those_move_who_have_to() -> None:
    before, after = _drawn(_spec(a=50, b=30, c=20)), _drawn(_spec(a=60, b=30, c=20))
    moved = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
    assert {now for _, now in moved} == {"a"}
    low, high = _binomial_bounds(1000, 60 / 110 - 50 / 100)
    assert low <= len(moved) / 10 <= high


def test_a_named_variant_keeps_its_people_when_another_model_takes_its_place() -> None:
    def named(model: str) -> RouteSpec:
        return RouteSpec.model_validate({"targets": [{"model": "a"}, {"model": model, "name": "new"}]})

    assert _drawn(named("prompt:x@1")) == _drawn(named("prompt:x@2"))


def test_routes_draw_independently_of_each_other() -> None:
    spec = _spec(a=1, b=1)
    other = [draw(spec, unit_of("other", "user", "acme", f"person-{number}")).variant for number in range(1000)]
    same = sum(one == two for one, two in zip(_drawn(spec)[:1000], other, strict=True))
    low, high = _binomial_bounds(1000, 0.5)
    assert low <= same <= high


def test_nobody_is_named_by_a_unit() -> None:
    assert "person" not in unit_of("smart", "user", "acme", "person-1")
    assert unit_of("smart", "ab", "c") != unit_of("smart", "a", "bc")


@pytest.mark.parametrize(
    ("model", "error", "failed"),
    [
        ("a", None, False),
        ("b", None, True),
        ("a", "upstream_error", True),
        ("a", "client_disconnected", False),
        (None, "rate_limited", False),
    ],
)
def test_a_variant_has_failed_where_another_one_answered_and_not_where_its_caller_left(
    model: str | None, error: str | None, failed: bool
) -> None:
    spec = _spec(a=1, b=1)
    assignment = Assignment("smart", 3, spec.targets[0], "u", spec)
    outcome = assignment.outcome(model, error)
    assert (outcome["failed"], outcome["variant"], outcome["split_version"]) == (failed, "a", 3)
