"""Is one ranking better than another, or was it luck? Both answer the same questions, so comparisons are paired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

ROUNDS = 50_000
EXACT_BELOW = 14
"""Up to this many questions with a difference all 2^n assignments of signs are gone through."""
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

    Exact for few differences; else from `ROUNDS` random assignments, counting the observed one as one of them
    (Phipson and Smyth, "Permutation P-values Should Never Be Zero", 2010). The same input gives the same p.
    """
    moved = differences[np.abs(differences) > _EQUAL]
    if not len(moved):
        return 1.0
    observed = abs(float(moved.sum())) - _EQUAL * len(moved)
    if len(moved) <= EXACT_BELOW:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(moved))))
        return float((np.abs(signs @ moved) >= observed).mean())
    rng = np.random.default_rng(_SEED)
    extreme, left = 0, ROUNDS
    while left:
        rows = min(left, max(1, _AT_ONCE // len(moved)))
        signs = rng.integers(0, 2, size=(rows, len(moved)), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ moved) >= observed).sum())
        left -= rows
    return (1 + extreme) / (1 + ROUNDS)


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """95 % confidence interval of the mean: the percentiles of means of questions drawn with replacement (Efron and
    Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13). The same input gives the same interval.
    """
    rng = np.random.default_rng(_SEED)
    means: list[NDArray[np.float64]] = []
    left = ROUNDS // 10
    while left:
        rows = min(left, max(1, _AT_ONCE // len(values)))
        means.append(values[rng.integers(0, len(values), size=(rows, len(values)))].mean(axis=1))
        left -= rows
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return float(low), float(high)
