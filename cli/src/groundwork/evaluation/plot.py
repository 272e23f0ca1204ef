"""The plot of an evaluation: each way's means with their intervals, and where two ways differ, question by question."""

from __future__ import annotations

from groundwork.evaluation.report import MAIN, Report
from groundwork.evaluation.significance import Comparison
from groundwork.evaluation.svg import FAINT, GRID, INK, Canvas, Scale, colour_of

WIDTH = 960
LEFT = 40
MIDDLE = 520
RIGHT = WIDTH - 40
TOP = 120
ROW = 22
GAP = 18
SIGNIFICANT = 0.05


def draw(report: Report) -> str:
    """An SVG file."""
    rows = len(report.measures) * (len(report.results) * ROW + GAP)
    height = TOP + max(rows, 260) + 60
    count = len(report.questions)
    canvas = Canvas(WIDTH, height, f"How well searches of {report.collection} find what they should")
    canvas.text(LEFT, 40, f"Retrieval from “{report.collection}”", size=20, bold=True)
    canvas.text(LEFT, 62, f"{count} question{'s' if count > 1 else ''} with known documents", size=13, colour=FAINT)
    _means(canvas, report, height - 48)
    if comparison := _main_comparison(report):
        _differences(canvas, report, comparison, height - 48)
    return canvas.finish()


def _main_comparison(report: Report) -> Comparison | None:
    """The first way against the best of the others."""
    first = next(iter(report.results))
    against = [each for each in report.comparisons if each.first == first]
    return min(against, key=lambda each: each.difference, default=None)


def _means(canvas: Canvas, report: Report, bottom: float) -> None:
    lowest = min(mean.low for result in report.results.values() for mean in result.means.values())
    scale = Scale(max(0.0, (lowest * 20 // 1) / 20 - 0.05), 1.0, LEFT + 118, MIDDLE - 100)
    canvas.text(LEFT, TOP - 26, "Mean over the questions, with its 95 % interval", size=13, bold=True)
    for tick in scale.ticks():
        canvas.line(scale(tick), TOP - 8, scale(tick), bottom)
        canvas.text(scale(tick), bottom + 18, f"{tick:g}", size=11, colour=FAINT, anchor="middle")
    y = TOP + 6.0
    for measure in report.measures:
        canvas.text(LEFT, y + 4, measure, size=12, bold=True)
        y += 2
        for name, result in report.results.items():
            mean, colour = result.means[measure], colour_of(name)
            canvas.text(scale.start - 12, y + 20, name, size=11, colour=FAINT, anchor="end")
            canvas.line(scale(mean.low), y + 16, scale(mean.high), y + 16, colour=colour, width=2.5)
            hint = f"{name}: {measure} {mean.value:.4f} ({mean.low:.4f} to {mean.high:.4f})"
            canvas.dot(scale(mean.value), y + 16, colour=colour, hint=hint)
            canvas.text(scale.end + 14, y + 20, f"{mean.value:.3f}", size=12, colour=colour, bold=True)
            y += ROW
        y += GAP - 2


def _differences(canvas: Canvas, report: Report, comparison: Comparison, bottom: float) -> None:
    first, second = comparison.first, comparison.second
    of_first, of_second = (report.results[way].values[MAIN] for way in (first, second))
    texts = {question.id: question.text for question in report.questions}
    differences = sorted(((value - of_second[id_], id_) for id_, value in of_first.items()), key=lambda each: -each[0])
    scale = Scale(-1.0, 1.0, bottom - 42, TOP + 26)
    left, right = MIDDLE + 34, RIGHT
    canvas.text(MIDDLE, TOP - 26, f"{first} minus {second}, question by question", size=13, bold=True)
    for tick in (-1.0, -0.5, 0.0, 0.5, 1.0):
        canvas.line(left, scale(tick), right, scale(tick), colour=INK if tick == 0 else GRID)
        canvas.text(left - 8, scale(tick) + 4, f"{tick:+g}" if tick else "0", size=11, colour=FAINT, anchor="end")
    step = (right - left) / len(differences)
    for number, (difference, id_) in enumerate(differences):
        if difference == 0:
            continue
        top = min(scale(difference), scale(0))
        canvas.bar(
            left + number * step + step * 0.08,
            top,
            step * 0.84,
            abs(scale(difference) - scale(0)),
            colour=colour_of(first if difference > 0 else second),
            hint=f"{difference:+.3f}  {texts[id_][:200]}",
        )
    canvas.text(right, TOP + 8, MAIN, size=11, colour=FAINT, anchor="end")
    canvas.text(left, TOP + 8, f"{comparison.wins} better with {first}", size=12, colour=colour_of(first), bold=True)
    worse = f"{comparison.losses} better with {second}"
    canvas.text(right, bottom - 20, worse, size=12, colour=colour_of(second), anchor="end", bold=True)
    canvas.text((left + right) / 2, bottom + 18, _verdict(comparison), size=12, colour=FAINT, anchor="middle")


def _verdict(found: Comparison) -> str:
    luck = "unlikely to be luck" if found.p < SIGNIFICANT else "may well be luck"
    return f"{found.ties} alike · mean {found.difference:+.3f} · p = {found.p:.2g}: {luck}"
