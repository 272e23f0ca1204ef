"""Is one ranking better than another, or was it luck? Both answer the same questions, so comparisons are paired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import permutation_test

ROUNDS = 20_000
BOOTSTRAPS = 5_000
_SEED = 2007
_AT_ONCE = 4_000_000
_EQUAL = 1e-12


@dataclass(frozen=True, slots=True)
class Comparison:
    """`first` against `second` by one measure over the same questions."""

    first: str
    second: str
    measure: str
    difference: float
    """Mean of first minus mean of second."""
    low: float
    high: float
    """95 % confidence interval of the difference."""
    p: float
    """How often a difference as large comes about when the two are equally good."""
    wins: int
    ties: int
    losses: int


def compare(
    first: str, second: str, measure: str, of_first: Mapping[str, float], of_second: Mapping[str, float]
) -> Comparison:
    """Compare two rankings by their values of one measure, by question; both must have the same questions."""
    differences = np.array([value - of_second[question] for question, value in of_first.items()])
    low, high = interval(differences)
    wins, losses = int((differences > _EQUAL).sum()), int((differences < -_EQUAL).sum())
    return Comparison(
        first=first,
        second=second,
        measure=measure,
        difference=float(differences.mean()),
        low=low,
        high=high,
        p=randomisation_test(differences),
        wins=wins,
        ties=len(differences) - wins - losses,
        losses=losses,
    )


def randomisation_test(differences: NDArray[np.float64]) -> float:
    """Two-sided p of Fisher's paired randomisation test: under the null hypothesis each difference could as well have
    had the other sign. It assumes no distribution, and was the recommendation of Smucker, Allan and Carterette,
    "A Comparison of Statistical Significance Tests for Information Retrieval Evaluation" (CIKM 2007).

    Exact where all assignments of signs are fewer than `ROUNDS`; else from as many random ones, counting the observed
    one as one of them (Phipson and Smyth, "Permutation P-values Should Never Be Zero", 2010). The same input gives the
    same p.
    """
    moved = differences[np.abs(differences) > _EQUAL]
    if not len(moved):
        return 1.0
    rows = max(1, _AT_ONCE // len(moved))
    found = permutation_test(
        (moved,), np.mean, permutation_type="samples", n_resamples=ROUNDS, vectorized=True, batch=rows, rng=_SEED
    )
    return float(found.pvalue)


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """95 % confidence interval of the mean: the percentiles of means of questions drawn with replacement (Efron and
    Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13). The same input gives the same interval.
    """
    rng = np.random.default_rng(_SEED)
    means: list[NDArray[np.float64]] = []
    left = BOOTSTRAPS
    while left:
        rows = min(left, max(1, _AT_ONCE // len(values)))
        means.append(values[rng.integers(0, len(values), size=(rows, len(values)))].mean(axis=1))
        left -= rows
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return float(low), float(high)
