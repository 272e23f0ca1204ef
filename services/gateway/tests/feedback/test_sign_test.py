from __future__ import annotations

import math
from random import Random

import pytest

from gateway.feedback.sign_test import ALPHA, sign_test


def _p(wins: int, losses: int) -> float:
    """As the sum that it stands for: the mixture of shares in ten thousand steps."""
    steps = 10_000
    shares = [(step + 0.5) / steps for step in range(steps)]
    return 0.5 ** (wins + losses) / (sum(share**wins * (1 - share) ** losses for share in shares) / steps)


@pytest.mark.parametrize(("wins", "losses"), [(10, 0), (17, 3), (7, 2), (3, 9), (24, 6)])
def test_p_is_the_inverse_of_a_uniform_mixture_of_shares(wins: int, losses: int) -> None:
    found = sign_test(wins, losses)
    assert found is not None
    assert found.share == wins / (wins + losses)
    assert found.p == pytest.approx(_p(wins, losses), rel=1e-3)
    assert (found.p < ALPHA) == (not found.low <= 0.5 <= found.high), "the interval is what p does not refuse"


def test_nothing_decided_tells_nothing_and_one_win_little() -> None:
    assert sign_test(0, 0) is None
    one = sign_test(1, 0)
    assert one is not None
    assert (one.share, one.high, one.p) == (1.0, 1.0, 1.0)
    assert 0 < one.low < 0.05


def test_sides_are_alike_and_much_is_known_of_many() -> None:
    left, right = sign_test(400_000, 600_000), sign_test(600_000, 400_000)
    assert left is not None
    assert right is not None
    assert (left.low, left.high) == pytest.approx((1 - right.high, 1 - right.low))
    assert left.p == right.p == pytest.approx(0)
    assert math.isclose(left.share, 0.4)
    assert left.high - left.low < 0.01


def test_equals_are_seldom_told_apart_however_often_somebody_looks() -> None:
    """With the usual sign test it is one comparison in seven."""
    chance, alarms, comparisons, choices = Random(7), 0, 1000, 30
    for _ in range(comparisons):
        wins = 0
        for number in range(1, choices + 1):
            wins += chance.random() < 0.5
            found = sign_test(wins, number - wins)
            assert found is not None
            if found.p < ALPHA:
                alarms += 1
                break
    assert alarms < comparisons * ALPHA
