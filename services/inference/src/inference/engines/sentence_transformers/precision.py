"""Whether a model computes in bfloat16 what it computes in float32: asked of each when it is loaded."""

from __future__ import annotations

import numpy as np

from inference.protocol.engines import Vectors

LEAST_COSINE = 0.995
"""all-MiniLM-L6-v2 reaches 0.9995 and more; a model that needs float32's range falls far below."""
MOST_OFF = 0.02
"""How far a score of relevance, from 0 to 1, may move."""
CHECKED = (
    "What is covered by the warranty, and for how long?",
    "The pump must be off before the cover is opened. Wait until the gauge shows zero, then loosen the four screws.",
    "def area(radius: float) -> float:\n    return 3.14159 * radius ** 2",
    "Der Vertrag verlängert sich um ein Jahr, wenn er nicht drei Monate vor Ablauf gekündigt wird.",
    "| year | revenue | profit |\n| 2021 | 1,204.5 | -17 |\n| 2022 | 1,377.0 | 211 |",
)
"""A question, prose, code, another language, a table."""


def agreement(exact: Vectors, other: Vectors) -> float:
    """The lowest cosine between normalised rows; -1 where one is not a number."""
    cosines = np.sum(exact * other, axis=1)
    return float(cosines.min()) if np.isfinite(cosines).all() else -1.0
