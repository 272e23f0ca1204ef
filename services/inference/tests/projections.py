"""Projections that can be worked out by hand."""

from __future__ import annotations

from typing import Any

from services.inference.tests.heads import encoded


def projection(width: int = 2, **changes: Any) -> dict[str, Any]:
    """Adds the first number of a question's vector to its second."""
    down = [[1.0], *[[0.0]] * (width - 1)]
    whole = {
        "embedding_model": "words",
        "dimensions": width,
        "down": encoded(*down),
        "up": encoded([0.0, 1.0, *[0.0] * (width - 2)]),
    }
    return {**whole, **changes}
