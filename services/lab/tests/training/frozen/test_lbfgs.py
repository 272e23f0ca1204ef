from __future__ import annotations

import numpy as np
import pytest

from lab.training.frozen.lbfgs import Array, minimise

SIZES = np.array([1.0, 10.0, 100.0])
LOWEST = np.array([3.0, -2.0, 0.5])


def _bowl(at: Array) -> tuple[float, Array]:
    return float((SIZES * (at - LOWEST) ** 2).sum()), 2 * SIZES * (at - LOWEST)


def test_it_ends_where_the_loss_is_lowest_and_tells_each_step() -> None:
    told: list[tuple[int, float]] = []
    found = minimise(_bowl, np.zeros(3), 1e-8, 100, lambda *step: told.append(step))
    assert found == pytest.approx(LOWEST, abs=1e-6)
    assert [number for number, _ in told] == list(range(1, len(told) + 1))
    assert [loss for _, loss in told] == sorted((loss for _, loss in told), reverse=True)


def test_it_makes_no_more_steps_than_it_may() -> None:
    told: list[int] = []
    minimise(_bowl, np.zeros(3), 0.0, 2, lambda number, _: told.append(number))
    assert told == [1, 2]
