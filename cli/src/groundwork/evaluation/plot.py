"""The plot of an evaluation: each way's means with their intervals, and where two ways differ, question by question."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any
from xml.sax.saxutils import escape

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from groundwork.evaluation.report import MAIN, Report
from groundwork.evaluation.significance import Comparison

COLOURS = {
    "hybrid": "#0072B2",
    "dense": "#D55E00",
    "sparse": "#009E73",
    "hybrid + rerank": "#CC79A7",
    "plain RRF": "#8A8F98",
}
"""Of ways to search: the palette of Okabe and Ito, "Color Universal Design" (2008)."""
FAINT = "#6B7280"
GRID = "#E4E7EB"
SIGNIFICANT = 0.05
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "axes.titleweight": "bold",
    "font.size": 9,
    "grid.color": GRID,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "groundwork",  # the same figures give the same file
    "xtick.color": FAINT,
    "ytick.color": FAINT,
}


def colour_of(way: str) -> str:
    """The colour of a way to search."""
    return COLOURS.get(way, "#56B4E9")


def draw(report: Report) -> str:
    """An SVG file. A bar tells its question where a mouse rests on it."""
    rows = len(report.measures) * (len(report.results) + 1)
    comparison = _main_comparison(report)
    hints: dict[str, str] = {}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, max(4.5, 1.6 + 0.24 * rows)), layout="constrained")
        figure.suptitle(f"Retrieval from “{report.collection}”", x=0.01, ha="left", weight="bold", parse_math=False)
        axes = figure.subplots(1, 2 if comparison else 1, squeeze=False)[0]
        _means(axes[0], report)
        if comparison:
            hints = _differences(axes[1], report, comparison)
        return as_svg(figure, hints)


def as_svg(figure: Figure, hints: Mapping[str, str] | None = None) -> str:
    """A figure as a file; `hints` are shown where a mouse rests on the parts with these ids."""
    file = StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    drawn = file.getvalue()
    for id_, hint in (hints or {}).items():
        drawn = drawn.replace(f'<g id="{id_}">', f'<g id="{id_}"><title>{escape(hint)}</title>', 1)
    return drawn


def _main_comparison(report: Report) -> Comparison | None:
    """The first way against the best of the others."""
    first = next(iter(report.results))
    against = [each for each in report.comparisons if each.first == first]
    return min(against, key=lambda each: each.difference, default=None)


def _means(axes: Axes, report: Report) -> None:
    count = len(report.questions)
    axes.set_title(f"Mean over {count} question{'s' if count > 1 else ''}, with its 95 % interval")
    labels: list[tuple[float, str]] = []
    y = 0.0
    for measure in report.measures:
        labels.append((y, measure))
        for name, result in report.results.items():
            y += 1
            mean, colour = result.means[measure], colour_of(name)
            labels.append((y, name))
            axes.plot([mean.low, mean.high], [y, y], color=colour, linewidth=2.5, solid_capstyle="round")
            axes.plot(mean.value, y, "o", color=colour, markeredgecolor="white")
            axes.annotate(f"{mean.value:.3f}", (1.02, y), xycoords=("axes fraction", "data"), va="center", color=colour)
        y += 1
    axes.set_yticks([at for at, _ in labels], [words for _, words in labels], parse_math=False)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() in report.measures else "normal")
    axes.set_ylim(y - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(length=0)


def _differences(axes: Axes, report: Report, comparison: Comparison) -> dict[str, str]:
    """The hints of the bars, by their ids."""
    first, second = comparison.first, comparison.second
    of_first, of_second = (report.results[way].values[MAIN] for way in (first, second))
    texts = {question.id: question.text for question in report.questions}
    differences = sorted(((value - of_second[id_], id_) for id_, value in of_first.items()), key=lambda each: -each[0])
    axes.set_title(f"By question: {first} minus {second}", parse_math=False)
    axes.set_ylabel(MAIN, color=FAINT)
    hints = {}
    for number, (difference, id_) in enumerate(differences):
        if difference:
            [bar] = axes.bar(number, difference, color=colour_of(first if difference > 0 else second))
            bar.set_gid(f"question-{number}")
            hints[f"question-{number}"] = f"{difference:+.3f}  {texts[id_][:200]}"
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.set(xlim=(-0.6, len(differences) - 0.4), ylim=(-1, 1), xticks=[])
    axes.grid(axis="x", visible=False)
    axes.set_xlabel(_verdict(comparison), color=FAINT, parse_math=False)
    better, worse = f"{comparison.wins} better with {first}", f"{comparison.losses} better with {second}"
    for words, way, x, y, side in ((better, first, 0.98, 0.94, "right"), (worse, second, 0.02, 0.04, "left")):
        axes.text(x, y, words, transform=axes.transAxes, ha=side, weight="bold", color=colour_of(way), parse_math=False)
    return hints


def _verdict(found: Comparison) -> str:
    luck = "unlikely to be luck" if found.p < SIGNIFICANT else "may well be luck"
    return f"{found.ties} alike · mean {found.difference:+.3f} · p = {found.p:.2g}: {luck}"
