"""A plot of shares by a threshold: how two kinds of error move against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from groundwork.evaluation.plot import FAINT, STYLE, as_svg

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


@dataclass(frozen=True)
class Curve:
    """One line: shares, 0 to 1, by threshold. Of one `colour` number two lines belong together."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int
    dashed: bool = False


@dataclass(frozen=True)
class Plot:
    """What is said around the lines."""

    title: str
    below_title: str
    across: str
    chosen: float
    """The threshold that is set."""


def draw(plot: Plot, curves: Sequence[Curve]) -> str:
    """An SVG file."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        figure.suptitle(plot.title, x=0.01, ha="left", weight="bold")
        axes = figure.subplots()
        axes.set_title(plot.below_title, weight="normal", color=FAINT)
        for curve in curves:
            across, up = zip(*curve.points, strict=True)
            line = "--" if curve.dashed else "-"
            axes.plot(across, up, line, color=PALETTE[curve.colour % len(PALETTE)], linewidth=2, label=curve.name)
        axes.axvline(plot.chosen, color="black", linestyle=":", linewidth=1)
        axes.annotate(f" set: {plot.chosen:g}", (plot.chosen, 0.02), xycoords=("data", "axes fraction"))
        axes.set(xlabel=plot.across, ylim=(0, 1))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        return as_svg(figure)
