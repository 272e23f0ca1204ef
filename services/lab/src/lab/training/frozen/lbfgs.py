"""L-BFGS in plain NumPy: the same loss gives the same place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MEMORY = 10


def minimise(
    loss: Callable[[Array], tuple[float, Array]],
    at: Array,
    tolerance: float,
    most_steps: int,
    hear: Callable[[int, float], None] = lambda *_: None,
) -> Array:
    """Where the loss is lowest, or how far so many steps come: Nocedal and Wright, Numerical Optimization (2006),
    algorithm 7.5; a step is halved until it descends.

    `loss` gives its value and slope, `tolerance` is of the slope; `hear` is told of each step and the loss there.
    """
    value, slope = loss(at)
    pairs: deque[tuple[Array, Array]] = deque(maxlen=MEMORY)
    for number in range(1, most_steps + 1):
        if float(np.abs(slope).max()) <= tolerance:
            break
        way = -_two_loops(slope, pairs)
        descent, length = float(way @ slope), 1.0 if pairs else min(1.0, 1.0 / float(np.abs(slope).sum()))
        while True:
            moved = at + length * way
            new_value, new_slope = loss(moved)
            if new_value <= value + 1e-4 * length * descent or length < 1e-10:
                break
            length /= 2
        step, turn = moved - at, new_slope - slope
        if float(step @ turn) > 1e-12:
            pairs.append((step, turn))
        at, value, slope = moved, new_value, new_slope
        hear(number, value)
    return at


def _two_loops(slope: Array, pairs: Sequence[tuple[Array, Array]] | deque[tuple[Array, Array]]) -> Array:
    """The slope times the inverse Hessian, as far as the last steps tell it."""
    way, shares = slope.copy(), []
    for step, turn in reversed(pairs):
        share = float(step @ way) / float(step @ turn)
        way -= share * turn
        shares.append(share)
    if pairs:
        step, turn = pairs[-1]
        way *= float(step @ turn) / float(turn @ turn)
    for (step, turn), share in zip(pairs, reversed(shares), strict=True):
        way += (share - float(turn @ way) / float(step @ turn)) * step
    return way
