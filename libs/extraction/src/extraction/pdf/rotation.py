"""Pages that are written sideways or upside down, turned in thought so that their lines run from left to right."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from extraction.pdf.glyphs import Glyphs

SAMPLES = 9
"""Lines whose direction is asked for."""


class Turn(NamedTuple):
    """By how many quarters the writing is turned against the clock, and what keeps turned places positive."""

    quarters: int
    width: float
    height: float

    def boxes(self, boxes: Sequence[float]) -> list[float]:
        """Boxes (left, top, right, bottom, flat) as they stand once the writing is upright."""
        turned: list[float] = []
        for at in range(0, len(boxes), 4):
            left, top, right, bottom = boxes[at : at + 4]
            if self.quarters == 1:
                turned += (bottom, self.width - left, top, self.width - right)
            elif self.quarters == 2:
                turned += (self.width - right, self.height - bottom, self.width - left, self.height - top)
            else:
                turned += (self.height - top, right, self.height - bottom, left)
        return turned


def page_turn(glyphs: Glyphs, positions: Sequence[int], boxes: Sequence[float]) -> Turn | None:
    """How the page is turned, if most of its lines are; `positions` are three a line: first, middle, last."""
    lines = [
        number
        for number in range(0, len(positions), 3)
        # Upright writing runs to the right at one height; only what doesn't is worth a question.
        if not (
            boxes[4 * number] < boxes[4 * number + 8]
            and abs(boxes[4 * number + 3] - boxes[4 * number + 11]) < boxes[4 * number + 1] - boxes[4 * number + 3]
        )
        and positions[number + 2] > positions[number]
    ]
    if len(lines) * 6 <= len(positions):
        return None
    asked = lines[:: max(1, len(lines) // SAMPLES)]
    quarters = Counter(round(-glyphs.angle(positions[number]) / (math.pi / 2)) % 4 for number in asked)
    most = quarters.most_common(1)[0][0]
    return Turn(most, max(boxes[2::4]), max(boxes[1::4])) if most else None
