"""The plot of `bench-retrieval`: a row a set, where each ranking stands by nDCG@10, and what hybrid adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from groundwork.evaluation.measures import mean, ndcg
from groundwork.evaluation.significance import interval
from groundwork.evaluation.svg import FAINT, GRID, INK, Canvas, Scale, colour_of

if TYPE_CHECKING:
    from benchmarks.retriever.retrieval import SetResult

WIDTH = 960
LEFT, START, END = 32, 210, 690
TOP, ROW = 118, 40
NDCG = ndcg(10)


def draw(results: Sequence[SetResult]) -> str:
    """An SVG file."""
    height = TOP + ROW * len(results) + 56
    canvas = Canvas(WIDTH, height, "nDCG@10 of each way to search, set by set")
    canvas.text(LEFT, 38, "Does hybrid search pay?", size=20, bold=True)
    canvas.text(
        LEFT, 60, f"{NDCG} of each set's questions; the bar is the 95 % interval of hybrid", size=13, colour=FAINT
    )
    lows = [mean(values[NDCG]) for each in results for values in each.values.values()]
    scale = Scale(max(0.0, min(lows) * 10 // 1 / 10 - 0.05), 1.0, START, END)
    bottom = height - 44
    for tick in scale.ticks():
        canvas.line(scale(tick), TOP - 12, scale(tick), bottom)
        canvas.text(scale(tick), bottom + 18, f"{tick:g}", size=11, colour=FAINT, anchor="middle")
    _legend(canvas, results)
    canvas.text(END + 34, TOP - 20, "hybrid minus the better single mode", size=11, colour=FAINT)
    for number, each in enumerate(results):
        _row(canvas, scale, each, TOP + ROW * number + 12)
    return canvas.finish()


def _legend(canvas: Canvas, results: Sequence[SetResult]) -> None:
    x = float(START)
    for ranking in dict.fromkeys(ranking for each in results for ranking in each.values):
        canvas.dot(x + 5, 83, colour=colour_of(ranking))
        canvas.text(x + 15, 87, ranking, size=12)
        x += 34 + 7 * len(ranking)


def _row(canvas: Canvas, scale: Scale, each: SetResult, y: float) -> None:
    canvas.line(LEFT, y + ROW / 2 - 2, WIDTH - LEFT, y + ROW / 2 - 2, colour=GRID)
    canvas.text(LEFT, y, each.name, size=13, bold=True)
    canvas.text(LEFT, y + 13, f"{each.queries} questions", size=10, colour=FAINT)
    low, high = interval(np.array(list(each.values["hybrid"][NDCG].values())))
    canvas.line(scale(low), y, scale(high), y, colour="#BFD9EA", width=8)
    for ranking in sorted(each.values, key=lambda ranking: ranking != "hybrid"):  # the large dot below the small ones
        value = mean(each.values[ranking][NDCG])
        radius = 8 if ranking == "hybrid" else 4.5
        canvas.dot(scale(value), y, colour=colour_of(ranking), radius=radius, hint=f"{ranking}: {value:.4f}")
    found = each.comparison
    colour = INK if found.p >= 0.05 else colour_of("hybrid") if found.difference > 0 else colour_of("dense")
    words = f"{found.difference:+.3f}  over {found.second}, p {found.p:.2g}"
    canvas.text(END + 34, y + 4, words, size=12, colour=colour, bold=found.p < 0.05)
