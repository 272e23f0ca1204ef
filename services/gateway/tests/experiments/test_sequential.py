from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest

from gateway.experiments.sequential import ALPHA, LEAST_UNITS, Sums, difference, estimate

EXPERIMENTS = 200
CALLS = 600
Draw = Callable[[Random], float]


def _share(chance: float) -> Draw:
    return lambda dice: float(dice.random() < chance)


def _false_alarms(draw: Draw, *, is_share: bool, of_baseline: float = 0.5) -> float:
    """The share of experiments between equals in which somebody who looks after every call is ever alarmed."""
    alarms = 0
    for number in range(EXPERIMENTS):
        dice, arms = Random(number), [Sums(), Sums()]
        for _ in range(CALLS):
            arm = int(dice.random() > of_baseline)
            arms[arm] = arms[arm].plus(draw(dice))
            found = difference(arms[1], arms[0], is_share=is_share)
            if found is not None and found.p <= ALPHA:
                alarms += 1
                break
    return alarms / EXPERIMENTS


@pytest.mark.parametrize(
    ("draw", "is_share", "of_baseline"),
    [
        (_share(0.5), True, 0.5),
        (_share(0.03), True, 0.5),
        (_share(0.1), True, 0.8),
        (lambda dice: dice.lognormvariate(0, 1), False, 0.5),
    ],
    ids=["even", "rare", "uneven-weights", "skewed-costs"],
)
def test_who_looks_after_every_call_is_wrongly_alarmed_in_at_most_five_of_a_hundred_experiments(
    draw: Draw, is_share: bool, of_baseline: float
) -> None:
    assert _false_alarms(draw, is_share=is_share, of_baseline=of_baseline) <= ALPHA


def test_people_whose_calls_are_alike_alarm_nobody_either() -> None:
    alarms = 0
    for number in range(EXPERIMENTS):
        dice, arms = Random(number), [Sums(), Sums()]
        for _ in range(300):
            person, calls = dice.random(), dice.randint(1, 10)
            arm = int(dice.random() < 0.5)
            arms[arm] = arms[arm].plus(sum(dice.random() < person for _ in range(calls)), calls)
            found = difference(arms[1], arms[0], is_share=True)
            if found is not None and found.p <= ALPHA:
                alarms += 1
                break
    assert alarms / EXPERIMENTS <= ALPHA


def test_a_worse_variant_is_found_and_the_interval_covers_how_much_worse() -> None:
    found_out, covered = 0, 0
    for number in range(100):
        dice, arms = Random(number), [Sums(), Sums()]
        for _ in range(400):
            arms[0], arms[1] = arms[0].plus(dice.random() < 0.05), arms[1].plus(dice.random() < 0.25)
        found = difference(arms[1], arms[0], is_share=True)
        assert found is not None
        found_out += found.p <= ALPHA
        covered += found.low <= 0.2 <= found.high
    assert (found_out, covered >= 95) == (100, True)


def test_p_refuses_equality_exactly_where_the_interval_does() -> None:
    dice = Random(3)
    for _ in range(200):
        arms = [Sums(), Sums()]
        chances = dice.random(), dice.random()
        for _ in range(LEAST_UNITS + dice.randint(0, 60)):
            arms = [arm.plus(dice.random() < chance) for arm, chance in zip(arms, chances, strict=True)]
        found = difference(arms[1], arms[0], is_share=True)
        assert found is not None
        assert (found.p < ALPHA) == (found.low > 0 or found.high < 0)


def test_few_units_say_nothing_however_many_calls_they_have() -> None:
    few = Sums()
    for _ in range(LEAST_UNITS - 1):
        few = few.plus(50.0, 100.0)
    assert (few.mean, estimate(few, is_share=True)) == (0.5, None)
    assert difference(few, few.plus(50.0, 100.0), is_share=True) is None
    assert Sums().mean is None


def test_a_share_that_was_always_nothing_may_yet_be_something() -> None:
    none = Sums()
    for _ in range(100):
        none = none.plus(0.0)
    found = estimate(none, is_share=True)
    assert found is not None
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0.01 < found.high < 0.2


def test_costs_that_are_all_alike_have_an_interval_and_a_difference() -> None:
    cheap, dear = Sums(), Sums()
    for _ in range(LEAST_UNITS):
        cheap, dear = cheap.plus(0.001), dear.plus(0.002)
    found = difference(dear, cheap, is_share=False)
    assert found is not None
    assert (math.isclose(found.value, 0.001), found.p < 1e-6) == (True, True)
    free = difference(Sums(99, 99.0), Sums(99, 99.0), is_share=False)
    assert free is not None
    assert free.p == 1.0
