from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import permutation_test

from groundwork.evaluation.significance import compare, interval, randomisation_test


def test_the_randomisation_test_is_exact_for_few_differences() -> None:
    assert randomisation_test(np.array([0.5, 0.25, 0.125])) == 2 / 8
    assert randomisation_test(np.array([0.5, 0.25, -0.125])) == 4 / 8
    assert randomisation_test(np.array([0.1, -0.1])) == 1
    assert randomisation_test(np.zeros(50)) == 1


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.2])
def test_the_randomisation_test_agrees_with_scipys(shift: float) -> None:
    differences = np.random.default_rng(4).normal(shift, 0.3, 80)
    theirs = permutation_test(
        (differences,),
        lambda sample: abs(sample.mean()),
        permutation_type="samples",
        n_resamples=50_000,
        rng=5,
        alternative="greater",
    )
    assert randomisation_test(differences) == pytest.approx(theirs.pvalue, abs=0.015)
    assert randomisation_test(differences) == randomisation_test(-differences) == randomisation_test(differences)


def test_the_interval_is_about_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(6).normal(0.4, 0.2, 400)
    low, high = interval(values)
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.003)
    assert high == pytest.approx(values.mean() + half, abs=0.003)


def test_a_comparison_pairs_questions_by_id() -> None:
    found = compare("hybrid", "dense", "MRR", {"a": 1.0, "b": 0.5, "c": 0.2}, {"c": 0.2, "b": 1.0, "a": 0.0})
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)
    assert found.difference == pytest.approx(0.5 / 3)
    assert found.low <= found.difference <= found.high
    assert found.p == 1
