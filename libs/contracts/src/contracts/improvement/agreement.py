"""How far two judges agree beyond chance: people among themselves, and a model with people."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TypeVar

Verdict = TypeVar("Verdict", bound=Hashable)


def cohens_kappa(counts: Mapping[tuple[Verdict, Verdict], int]) -> float | None:
    """Agreement beyond chance of two judges, given how often they chose each pair of verdicts: 1 is perfect, 0 what
    chance gives. Null where it is undefined: no pairs, or both always chose the same one.

    J. Cohen, "A coefficient of agreement for nominal scales", 1960: (observed - expected) / (1 - expected).
    """
    total = sum(counts.values())
    if not total:
        return None
    verdicts = {verdict for pair in counts for verdict in pair}
    observed = sum(count for (one, other), count in counts.items() if one == other) / total
    expected = sum(
        sum(count for (one, _), count in counts.items() if one == verdict)
        * sum(count for (_, other), count in counts.items() if other == verdict)
        for verdict in verdicts
    ) / (total * total)
    return None if expected == 1 else (observed - expected) / (1 - expected)


def kappa_interval(counts: Mapping[tuple[bool, bool], int]) -> tuple[float, float]:
    """The interval of 95 % of kappa for two verdicts, within -1 and 1.

    By the large-sample variance of Fleiss, Cohen and Everitt, "Large sample standard errors of kappa and weighted
    kappa", 1969, with half a pair more in each of the four cells: else a few pairs that all agree would be certain.
    """
    cells = {(one, other): counts.get((one, other), 0) + 0.5 for one in (True, False) for other in (True, False)}
    total = sum(cells.values())
    share = {pair: count / total for pair, count in cells.items()}
    mine = {one: share[one, True] + share[one, False] for one in (True, False)}
    theirs = {one: share[True, one] + share[False, one] for one in (True, False)}
    observed = share[True, True] + share[False, False]
    expected = sum(mine[one] * theirs[one] for one in (True, False))
    kappa = (observed - expected) / (1 - expected)
    same = sum(share[one, one] * (1 - (mine[one] + theirs[one]) * (1 - kappa)) ** 2 for one in (True, False))
    apart = sum(share[one, not one] * (theirs[one] + mine[not one]) ** 2 for one in (True, False))
    variance = same + (1 - kappa) ** 2 * apart - (kappa - expected * (1 - kappa)) ** 2
    reach = 1.96 * math.sqrt(max(variance, 0.0) / total) / (1 - expected)
    return max(kappa - reach, -1.0), min(kappa + reach, 1.0)
