from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from contracts.improvement.agreement import cohens_kappa, kappa_interval

YES_YES, NO_NO, YES_NO, NO_YES = (True, True), (False, False), (True, False), (False, True)


@pytest.mark.parametrize("cells", [(0.70, 0.20, 0.05, 0.05), (0.64, 0.04, 0.16, 0.16), (0.5, 0.1, 0.3, 0.1)])
@pytest.mark.parametrize("count", [30, 200])
def test_the_interval_holds_the_true_kappa_in_some_95_of_100_samples(
    cells: tuple[float, float, float, float], count: int
) -> None:
    pairs, chance = (YES_YES, NO_NO, YES_NO, NO_YES), Random(7)
    true = cohens_kappa({pair: round(share * 1000) for pair, share in zip(pairs, cells, strict=True)})
    assert true is not None
    held = 0
    for _ in range(400):
        low, high = kappa_interval(Counter(chance.choices(pairs, cells, k=count)))
        held += low <= true <= high
    assert 0.91 <= held / 400 <= 0.99


def test_pairs_that_all_agree_are_not_certain_and_nothing_is_beyond_one() -> None:
    low, high = kappa_interval({YES_YES: 20, NO_NO: 10})
    assert 0.7 < low < 1
    assert high == 1
    wide = kappa_interval({YES_YES: 3, NO_NO: 1})
    assert wide[0] < low
