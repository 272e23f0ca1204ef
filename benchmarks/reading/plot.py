"""The plot of `bench-reading`: for each set, what abstaining from some chance on costs and what it saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from groundwork.evaluation.plot import COLOURS, FAINT, STYLE, as_svg

THRESHOLDS = np.linspace(0, 1, 201)
Chances = Mapping[str, Sequence[float]]
"""By what judged: of each question of a set, in its order."""


def shares(chances: Sequence[float], right: Sequence[bool]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At each threshold, of the questions without an answer those that are answered all the same, and of the others
    those that are abstained on."""
    values, is_right = np.array(chances), np.array(right)
    answered = np.array([(values[~is_right] >= one).mean() for one in THRESHOLDS])
    silent = np.array([(values[is_right] < one).mean() for one in THRESHOLDS])
    return answered, silent


def draw(said: Mapping[str, Chances], right: Mapping[str, Sequence[bool]], chosen: Mapping[str, float]) -> str:
    """An SVG file. `chosen` has the threshold of each that judges, which is marked."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.2 * len(said), 3.8), layout="constrained")
        figure.suptitle("When to abstain: down and to the left is better", x=0.01, ha="left", weight="bold")
        panels = np.atleast_1d(figure.subplots(1, len(said), sharex=True, sharey=True))
        for axes, (name, chances) in zip(panels, said.items(), strict=True):
            _panel(axes, name, chances, right[name], chosen)
        panels[0].set_ylabel("wrongly abstained")
        panels[0].legend(frameon=False)
        return as_svg(figure)


def _panel(axes: Axes, name: str, chances: Chances, right: Sequence[bool], chosen: Mapping[str, float]) -> None:
    axes.set_title(name)
    axes.set_xlabel("answered where there is no answer")
    axes.plot([0, 1], [1, 0], color=FAINT, linewidth=0.8, linestyle=":")
    for (judge, values), colour in zip(chances.items(), cycle(COLOURS.values())):
        answered, silent = shares(values, right)
        axes.plot(answered, silent, color=colour, label=judge)
        at = int(np.argmin(np.abs(THRESHOLDS - chosen[judge])))
        axes.plot(answered[at], silent[at], "o", color=colour, mec="white")
