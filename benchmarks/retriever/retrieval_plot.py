"""The plot of `bench-retrieval`: a row a set, where each ranking stands by nDCG@10, and what hybrid adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from groundwork.evaluation.measures import mean, ndcg
from groundwork.evaluation.plot import FAINT, STYLE, as_svg, colour_of
from groundwork.evaluation.significance import interval

if TYPE_CHECKING:
    from benchmarks.retriever.retrieval import SetResult

NDCG = ndcg(10)


def draw(results: Sequence[SetResult]) -> str:
    """An SVG file."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 1.8 + 0.5 * len(results)), layout="constrained")
        figure.suptitle("Does hybrid search pay?", x=0.01, ha="left", weight="bold")
        axes = figure.subplots()
        axes.set_title(f"{NDCG} of each set's questions; the bar is the 95 % interval of hybrid")
        for y, each in enumerate(results):
            _row(axes, each, y)
        names = [f"{each.name}\n{each.queries} questions" for each in results]
        axes.set_yticks(range(len(results)), names, parse_math=False)
        axes.set_ylim(len(results) - 0.5, -0.5)
        rankings = dict.fromkeys(ranking for each in results for ranking in each.values)
        handles = [mpl.lines.Line2D([], [], marker="o", linestyle="", color=colour_of(name)) for name in rankings]
        axes.legend(handles, rankings, loc="upper left", bbox_to_anchor=(0, -0.08), ncols=len(rankings), frameon=False)
        axes.text(1.02, 1.01, "hybrid minus the better single mode", transform=axes.transAxes, color=FAINT)
        return as_svg(figure)


def _row(axes: Axes, each: SetResult, y: float) -> None:
    low, high = interval(np.array(list(each.values["hybrid"][NDCG].values())))
    axes.plot([low, high], [y, y], color="#BFD9EA", linewidth=7, solid_capstyle="round")
    for ranking in sorted(each.values, key=lambda ranking: ranking != "hybrid"):  # the large dot below the small ones
        size = 11 if ranking == "hybrid" else 7
        axes.plot(mean(each.values[ranking][NDCG]), y, "o", color=colour_of(ranking), markersize=size, mec="white")
    found = each.comparison
    colour = FAINT if found.p >= 0.05 else colour_of("hybrid") if found.difference > 0 else colour_of("dense")
    words = f"{found.difference:+.3f}  over {found.second}, p {found.p:.2g}"
    axes.annotate(words, (1.02, y), xycoords=("axes fraction", "data"), va="center", color=colour)
