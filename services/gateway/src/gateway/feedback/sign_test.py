"""Which of two wins more often: a sign test that holds however often somebody looks.

Of n questions that decided one won w. Were each won with the share s, the likelihood ratio of a uniform mixture of
shares against s would be

    ratio(s) = 1 / ((n + 1) C(n, w) s^w (1 - s)^(n - w)),    p = min(1, 1 / ratio(1/2))

which ever exceeds 1/alpha with a chance of alpha at most (Ville's inequality), of any number of questions: nothing here
is true in the limit only. So p may be read after each choice, and the interval, all shares that the ratio does not
refuse, covers the true one at all looks at once. (Robbins, "Statistical methods related to the law of the iterated
logarithm", Annals of Mathematical Statistics 41(5), 1970; Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform,
nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49(2), 2021.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

ALPHA = 0.05
HALVINGS = 50
"""Of an interval's end: beyond what a float tells apart."""


@dataclass(frozen=True, slots=True)
class SignTest:
    """The share of wins, the interval that covers the true one with a chance of 1 - `ALPHA`, and the p of a half."""

    share: float
    low: float
    high: float
    p: float


def sign_test(wins: int, losses: int) -> SignTest | None:
    """None where nothing decided."""
    decided = wins + losses
    if not decided:
        return None
    share = wins / decided
    low = 0.0 if not wins else _end(wins, losses, 0.0, share)
    high = 1.0 if not losses else _end(wins, losses, 1.0, share)
    return SignTest(share, low, high, min(1.0, math.exp(_log_p(wins, losses, 0.5))))


def _log_p(wins: int, losses: int, share: float) -> float:
    """Of the p of this share: above 0 where it is certain not to be refused."""
    decided = wins + losses
    ways = math.lgamma(decided + 1) - math.lgamma(wins + 1) - math.lgamma(losses + 1)
    return math.log(decided + 1) + ways + _times(wins, share) + _times(losses, 1 - share)


def _times(count: int, share: float) -> float:
    return count * math.log(share) if count else 0.0


def _end(wins: int, losses: int, refused: float, kept: float) -> float:
    """Where the interval ends between a share that is refused and one that is not."""
    for _ in range(HALVINGS):
        middle = (refused + kept) / 2
        if _log_p(wins, losses, middle) < math.log(ALPHA):
            refused = middle
        else:
            kept = middle
    return kept
