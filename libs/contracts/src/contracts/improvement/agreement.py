"""How far two judges agree beyond chance: people among themselves, and a model with people."""

from __future__ import annotations

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
