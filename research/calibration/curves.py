"""A plot of shares by a threshold: how two kinds of error move against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.evaluation.svg import FAINT, INK, Canvas, Scale

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
WIDTH, HEIGHT = 860, 430
LEFT, RIGHT, TOP, BOTTOM = 64, 560, 84, 372


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
    canvas = Canvas(WIDTH, HEIGHT, plot.title)
    canvas.text(LEFT - 40, 34, plot.title, size=18, bold=True)
    canvas.text(LEFT - 40, 56, plot.below_title, size=12, colour=FAINT)
    steps = [x for curve in curves for x, _ in curve.points]
    across, up = Scale(min(steps), max(steps), LEFT, RIGHT), Scale(0.0, 1.0, BOTTOM, TOP)
    for tick in up.ticks():
        canvas.line(LEFT, up(tick), RIGHT, up(tick))
        canvas.text(LEFT - 8, up(tick) + 4, f"{tick:.0%}", size=11, colour=FAINT, anchor="end")
    for tick in across.ticks():
        canvas.text(across(tick), BOTTOM + 18, f"{tick:g}", size=11, colour=FAINT, anchor="middle")
    canvas.text((LEFT + RIGHT) / 2, BOTTOM + 40, plot.across, size=12, anchor="middle")
    canvas.line(across(plot.chosen), TOP - 6, across(plot.chosen), BOTTOM, colour=INK, dashed=True)
    canvas.text(across(plot.chosen), TOP - 10, f"set: {plot.chosen:g}", size=11, anchor="middle")
    for number, curve in enumerate(curves):
        _line(canvas, across, up, curve)
        y = TOP + 12 + 22 * number
        colour = PALETTE[curve.colour % len(PALETTE)]
        canvas.line(RIGHT + 18, y - 4, RIGHT + 42, y - 4, colour=colour, width=2.5, dashed=curve.dashed)
        canvas.text(RIGHT + 50, y, curve.name, size=11)
    return canvas.finish()


def _line(canvas: Canvas, across: Scale, up: Scale, curve: Curve) -> None:
    colour = PALETTE[curve.colour % len(PALETTE)]
    for (x1, y1), (x2, y2) in zip(curve.points, curve.points[1:], strict=False):
        canvas.line(across(x1), up(y1), across(x2), up(y2), colour=colour, width=2.5, dashed=curve.dashed)
