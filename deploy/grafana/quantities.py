"""How values of a panel's unit are written: Grafana's names of units, each with steps that a person reads easily."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_STEPS: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (120.0, "min")),
    "bytes": ((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB")),
    "Bps": ((1.0, "B/s"), (1e3, "kB/s"), (1e6, "MB/s")),
    "reqps": ((1.0, "req/s"),),
    "percentunit": ((0.01, "%"),),
    "currencyUSD": ((1.0, "$"),),
    "short": ((1.0, ""), (1e3, "K"), (1e6, "M")),
}
_DIVISORS = {"min": 60.0}
MOST_TICKS = 5


@dataclass(frozen=True)
class Axis:
    """From 0 to a round value above the highest; `factor` of the unit is 1 of what is written."""

    factor: float
    word: str
    ticks: tuple[float, ...]
    """What is written at the grid's lines, from 0 up."""

    @property
    def top(self) -> float:
        """The highest line, in the panel's own unit."""
        return self.ticks[-1] * self.factor


def axis(unit: str, values: Sequence[float]) -> Axis:
    """An axis for these values, none of which is below 0."""
    highest = max(values, default=0.0) or _one(unit)
    factor, word = _step(unit, highest)
    step = next(step for step in _round_steps(highest / factor) if highest / factor / step <= MOST_TICKS)
    count = max(1, math.ceil(highest / factor / step - 1e-9))
    return Axis(factor, word, tuple(number * step for number in range(count + 1)))


def written(unit: str, value: float) -> str:
    """A single value with its unit."""
    factor, word = _step(unit, abs(value))
    number = f"{value / factor:.3g}" if abs(value / factor) < 1000 else f"{value / factor:,.0f}"
    return f"${number}" if word == "$" else f"{number}{'' if word in ('', '%', 'K', 'M') else ' '}{word}"


def _step(unit: str, highest: float) -> tuple[float, str]:
    """The largest step that the value reaches; the unit itself where it is 0."""
    steps = _STEPS[unit]
    if highest == 0:
        return next((_DIVISORS.get(word, step), word) for step, word in steps if step == _one(unit))
    reached = [each for each in steps if highest >= each[0]] or [steps[0]]
    step, word = reached[-1]
    return _DIVISORS.get(word, step), word


def _one(unit: str) -> float:
    return 0.01 if unit == "percentunit" else 1.0


def _round_steps(highest: float) -> Iterator[float]:
    """1, 2 and 5 times powers of ten, from far below the highest up."""
    power = math.floor(math.log10(highest)) - 2
    while True:
        yield from (digit * 10.0**power for digit in (1, 2, 5))
        power += 1
