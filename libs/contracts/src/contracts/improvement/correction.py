"""Several comparisons at once find something by chance: what still counts then."""

from __future__ import annotations

from collections.abc import Sequence

SIGNIFICANT = 0.05


def holm(values: Sequence[float]) -> list[float]:
    """p values of comparisons that are made together, in their order, each to be read as if it were the only one (Holm,
    "A simple sequentially rejective multiple test procedure", 1979)."""
    adjusted, least = [1.0] * len(values), 0.0
    for rank, at in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1.0, (len(values) - rank) * values[at]))
        adjusted[at] = least
    return adjusted
