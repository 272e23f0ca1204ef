"""Projections that can be worked out by hand."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from services.inference.tests.heads import encoded


def lora(width: int = 2, **changes: Any) -> dict[str, Any]:
    """Beside one layer, of rank 1."""
    half = base64.b64encode(np.array([0.5, 1.0], dtype="<f2").tobytes()).decode()
    whole = {
        "embedding_model": "words",
        "embedding_digest": f"sha256:{'a' * 64}",
        "dimensions": width,
        "rank": 1,
        "matrices": {"layer.0.dense": {"down": half, "up": half}},
    }
    return {**whole, **changes}


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
