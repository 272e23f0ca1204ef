"""Intervals and p that hold however often they are looked at.

Whoever reads a page of figures every morning, or a guard that looks every few seconds, would sooner or later see a
"significant" difference between two equal variants if p were that of a single look. Here the likelihood ratio of a
normal mixture is taken instead (Robbins' mixture; Johari, Pekelis and Walsh, "Always valid inference: continuous
monitoring of A/B tests", Operations Research 70(3), 2022; for averages with estimated variance Waudby-Smith, Arbour,
Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics
52(6), 2024). With the difference D of two averages, its estimated variance V, and a mixture of effects N(0, k V):

    ratio = exp(k / (1 + k) D^2 / V / 2) / sqrt(1 + k),    p = min(1, 1 / ratio)

where k grows with the number of units, so that the mixture stays as it is.

Under equality the ratio ever exceeds 1/alpha with a chance of alpha at most, in the limit of many units; so p may be
read at any time, and the interval of all differences that p would not refuse covers the true one at all times at once.

What counts is the unit that a variant was drawn for, not the call: a person's calls are alike. Averages are ratios of
sums over units, and their variance is that of the linearised ratio (the delta method; Deng, Knoblich and Lu, KDD 2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

ALPHA = 0.05
BEST_AT = 500.0
"""The intervals are tightest when two variants have about twice as many units each."""
MIXTURE = (-2 * math.log(ALPHA) + math.log(-2 * math.log(ALPHA) + 1)) / BEST_AT
"""Variance of the mixture of effects, in variances of one unit (the choice of Waudby-Smith et al., appendix B.2)."""
LEAST_UNITS = 30
"""With fewer of a variant no figure has an interval: the limit of many units is not near."""
LEAST_SPREAD = 0.01
"""A unit's standard deviation is taken to be at least this share of the average: costs may be all alike by chance."""


@dataclass(frozen=True, slots=True)
class Sums:
    """A measure of one variant, summed over its units: with y a unit's sum and n its number of calls."""

    units: int = 0
    n: float = 0.0
    y: float = 0.0
    yy: float = 0.0
    yn: float = 0.0
    nn: float = 0.0

    def plus(self, y: float, n: float = 1.0) -> Sums:
        """With one more unit."""
        return Sums(self.units + 1, self.n + n, self.y + y, self.yy + y * y, self.yn + y * n, self.nn + n * n)

    @property
    def mean(self) -> float | None:
        """A call's average; None of no calls."""
        return self.y / self.n if self.n else None

    @property
    def is_enough(self) -> bool:
        """Whether there are units enough for an interval."""
        return self.units >= LEAST_UNITS and self.n > 0

    def variance(self, *, is_share: bool) -> float:
        """Of the average. A share is never taken to be surer than that of independent calls, one of which may yet be
        otherwise."""
        mean = self.y / self.n
        spread = max(0.0, self.yy - 2 * mean * self.yn + mean * mean * self.nn)
        found = spread * self.units / (self.units - 1) / self.n**2
        if is_share:
            share = (self.y + 1) / (self.n + 2)
            return max(found, share * (1 - share) / self.n)
        return max(found, (LEAST_SPREAD * mean) ** 2 / self.units, 1e-300)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, and the interval that covers the truth at all looks at once with a chance of 1 - `ALPHA`."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference(Estimate):
    """Of an average from the baseline's, with the p of equality at any look."""

    p: float


def estimate(sums: Sums, *, is_share: bool) -> Estimate | None:
    """A variant's average; None where there are too few units."""
    if not sums.is_enough:
        return None
    mean = sums.y / sums.n
    radius = _radius(sums.variance(is_share=is_share), float(sums.units))
    low, high = mean - radius, mean + radius
    return Estimate(mean, *((max(0.0, low), min(1.0, high)) if is_share else (low, high)))


def difference(variant: Sums, baseline: Sums, *, is_share: bool) -> Difference | None:
    """How far a variant's average is from the baseline's; None where one has too few units."""
    if not (variant.is_enough and baseline.is_enough):
        return None
    distance = variant.y / variant.n - baseline.y / baseline.n
    variance = variant.variance(is_share=is_share) + baseline.variance(is_share=is_share)
    return _difference(distance, variance, 1 / (1 / variant.units + 1 / baseline.units))


def distance_from(sums: Sums, value: float, *, is_share: bool) -> Difference | None:
    """How far an average is from a number; None where there are too few units."""
    if not sums.is_enough:
        return None
    return _difference(sums.y / sums.n - value, sums.variance(is_share=is_share), float(sums.units))


def _difference(distance: float, variance: float, information: float) -> Difference:
    spread = information * MIXTURE
    exponent = spread / (1 + spread) * distance * distance / variance / 2
    radius = _radius(variance, information)
    p = math.exp(-max(0.0, exponent - 0.5 * math.log(1 + spread)))
    return Difference(distance, distance - radius, distance + radius, p)


def _radius(variance: float, information: float) -> float:
    """How far a difference must be from a value for `p` to refuse that value at `ALPHA`."""
    spread = information * MIXTURE
    return math.sqrt(variance * 2 * (1 + spread) / spread * math.log(math.sqrt(1 + spread) / ALPHA))
