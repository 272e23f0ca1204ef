"""Corrections that can be worked out by hand."""

from __future__ import annotations

from typing import Any

from services.inference.tests.heads import encoded


def correction(*weights: float, **changes: Any) -> dict[str, Any]:
    """Adds the first of two features to the log odds."""
    return {"reading_model": "reader", "weights": encoded(list(weights) or [1.0, 0.0]), **changes}
