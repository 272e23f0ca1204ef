"""Is one evaluation better than another, or was it luck? Both ask the same questions, so comparisons are paired.

numpy is imported when something is compared: an idle lab does without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROUNDS = 20_000
BOOTSTRAPS = 5_000
EXACT_QUESTIONS = 14
"""Up to so many that differ, all assignments of signs are tried: 16,384."""
SIGNIFICANT = 0.05
LOWER_IS_BETTER = frozenset(("latency_ms", "tokens", "cost_usd", "loss", "judge_failed"))
MANY = 1_000
"""From so many questions on, means are normal enough (the central limit theorem) for the usual formulas."""
_NORMAL_95 = 1.959964
_SEED = 2007
_AT_ONCE = 2_000_000
_FEW_VALUES = 8
"""Up to so many different values, resamples are drawn by how often each value comes up."""
SMALLEST_DIFFERENCE = 1e-12
"""Less is none; in sums, relative to what is summed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of two runs over the questions that have it in both."""

    measure: str
    questions: int
    first: float
    second: float
    difference: float
    """Mean of first minus mean of second."""
    low: float
    high: float
    """95 % confidence interval of the difference."""
    p: float
    wins: int
    losses: int

    @property
    def verdict(self) -> str:
        """`better`, `worse`, or `no difference` beyond what luck would make, of the first. Values that are no numbers
        say nothing."""
        if self.p >= SIGNIFICANT or not self.difference or not math.isfinite(self.difference):
            return "no difference"
        return "better" if (self.difference > 0) != (self.measure in LOWER_IS_BETTER) else "worse"

    @property
    def words(self) -> str:
        """`better: +.060 [.020, .100] answer_found, p .004, 300 questions`."""
        figures = f"{self.difference:+.4g} [{self.low:+.4g}, {self.high:+.4g}] {self.measure}"
        return f"{self.verdict}: {figures}, p {self.p:.2g}, {self.questions} questions"


def compare(measure: str, first: Mapping[str, float], second: Mapping[str, float]) -> Difference | None:
    """Two runs by one measure, by question; none where they share no question."""
    import numpy as np

    shared = sorted(first.keys() & second.keys())
    if not shared:
        return None
    one, other = (np.array([values[each] for each in shared], dtype=float) for values in (first, second))
    differences = one - other
    low, high = interval(differences)
    return Difference(
        measure=measure,
        questions=len(shared),
        first=float(one.mean()),
        second=float(other.mean()),
        difference=float(differences.mean()),
        low=low,
        high=high,
        p=randomisation_test(differences),
        wins=int((differences > SMALLEST_DIFFERENCE).sum()),
        losses=int((differences < -SMALLEST_DIFFERENCE).sum()),
    )


def randomisation_test(differences: NDArray[np.float64]) -> float:
    """Two-sided p of Fisher's paired randomisation test: if neither were better, each difference could as well have the
    other sign (Smucker, Allan and Carterette, CIKM 2007). Exact where few differ; else from `ROUNDS` random ones, the
    observed one counted as one of them (Phipson and Smyth, 2010). The same input gives the same p."""
    import numpy as np

    moved = differences[np.abs(differences) > SMALLEST_DIFFERENCE]
    count = len(moved)
    if not count:
        return 1.0
    observed = abs(float(moved.sum())) - SMALLEST_DIFFERENCE * float(np.abs(moved).sum())
    if count <= EXACT_QUESTIONS:
        signs = 1.0 - 2 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
        return float((np.abs(signs @ moved) >= observed).mean())
    if count > MANY:
        spread = float(np.sqrt((moved**2).sum()))
        return math.erfc(abs(float(moved.sum())) / spread / math.sqrt(2))
    beyond = int((np.abs(_signed_sums(moved)) >= observed).sum())
    return (beyond + 1) / (ROUNDS + 1)


def _signed_sums(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """(ROUNDS,): sums of the differences, each with a sign by chance. A random byte signs eight of them, whose 256
    possible sums are looked up rather than added again."""
    import numpy as np

    eights = np.pad(moved, (0, -len(moved) % 8)).reshape(-1, 8)
    signs = 1.0 - 2 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    rng = np.random.default_rng(_SEED)
    sums = np.zeros(ROUNDS)
    for possible in eights @ signs.T:
        sums += possible[rng.integers(0, 256, size=ROUNDS, dtype=np.uint8)]
    return sums


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """95 % confidence interval of the mean: percentiles of the means of questions drawn with replacement (Efron and
    Tibshirani, 1993, chapter 13). The same input gives the same interval."""
    import numpy as np

    if len(values) > MANY:
        mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
        return mean - _NORMAL_95 * error, mean + _NORMAL_95 * error
    different, counts = np.unique(values, return_counts=True)
    if len(different) == 1:
        return float(values[0]), float(values[0])
    rng = np.random.default_rng(_SEED)
    if len(different) <= _FEW_VALUES:
        drawn = rng.multinomial(len(values), counts / len(values), size=BOOTSTRAPS) @ different / len(values)
        low, high = np.percentile(drawn, (2.5, 97.5))
        return float(low), float(high)
    means: list[NDArray[np.float64]] = []
    left = BOOTSTRAPS
    while left:
        rows = min(left, max(1, _AT_ONCE // len(values)))
        means.append(values[rng.integers(0, len(values), size=(rows, len(values)), dtype=np.uint16)].mean(axis=1))
        left -= rows
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return float(low), float(high)


def mean_of(values: Sequence[float]) -> tuple[float, float, float]:
    """A mean with its interval."""
    import numpy as np

    low, high = interval(np.array(values, dtype=float))
    return sum(values) / len(values), low, high


def is_worse(differences: Iterable[Difference], gates: Iterable[str]) -> bool:
    """Whether one of the named measures is significantly worse."""
    named = set(gates)
    return any(one.measure in named and one.verdict == "worse" for one in differences)
