"""Draws a dashboard with what Prometheus had: an SVG file a board, its panels where Grafana places them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

from panels import COLUMNS, Board, Cell, Panel, Row, lines_of, placed
from quantities import Axis, axis, written

from groundwork.evaluation.svg import FAINT, GRID, INK, Canvas, Scale

WIDTH, EDGE, GAP = 1120, 16, 8
TOP, HEADING, LINE = 74, 34, 27
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7B6FAC", "#6B7280", "#A6761D", "#33A02C")
"""Okabe and Ito, "Color Universal Design" (2008), and more where a panel has more series."""
LETTER = 6.3
"""Pixels that a letter of 11 takes on average."""
LEGEND_ROWS = 2
MOST_SHADED = 4
"""Series of a panel with tinted ground; more would be mud."""
GROUND = "#F4F5F7"
SERVERS = {"vllm": "vLLM", "qdrant": "a Qdrant server"}


@dataclass(frozen=True)
class Series:
    """One line of a panel: seconds since the window began, and values."""

    name: str
    points: Sequence[tuple[float, float]]


Shown = Mapping[tuple[str, str], Sequence[Series]]
"""Row and panel by title → its series; a panel without data has none."""


@dataclass(frozen=True)
class Window:
    """The stretch of time that is drawn."""

    seconds: float
    caption: str


def draw(board: Board, shown: Shown, window: Window) -> str:
    """An SVG file."""
    rows = [(row, _elsewhere(row), placed(row)) for row in board.rows]
    heights = [HEADING + (18 * len(words) + 8 if words else LINE * lines_of(cells)) for _, words, cells in rows]
    canvas = Canvas(WIDTH, TOP + sum(heights) + EDGE, board.title)
    canvas.bar(0, 0, WIDTH, canvas.height, colour=GROUND)
    canvas.text(EDGE, 36, board.title, size=21, bold=True)
    canvas.text(EDGE, 58, window.caption, size=12, colour=FAINT)
    y = float(TOP)
    for (row, words, cells), height in zip(rows, heights, strict=True):
        canvas.text(EDGE, y + 21, row.title, size=15, bold=True)
        for number, line in enumerate(words):
            canvas.text(EDGE, y + 42 + 18 * number, line, size=12, colour=FAINT)
        for cell in cells if not words else ():
            _panel(canvas, cell, y + HEADING, shown.get((row.title, cell.panel.title), ()), window)
        y += height
    return canvas.finish()


def _elsewhere(row: Row) -> list[str]:
    """Of a row that all needs a server which a home does without: lines that say so and name the panels."""
    if not all(panel.needs for panel in row.panels):
        return []
    titles = " · ".join(panel.title for panel in row.panels)
    return wrap(f"Where there is {SERVERS[row.panels[0].needs]}: {titles}", 160)


def _panel(canvas: Canvas, cell: Cell, top: float, series: Sequence[Series], window: Window) -> None:
    column = (WIDTH - 2 * EDGE + GAP) / COLUMNS
    x, y = EDGE + cell.x * column, top + cell.y * LINE
    width, height = cell.panel.width * column - GAP, cell.height * LINE - GAP
    canvas.box(x, y, width, height)
    size = 13.0 if cell.panel.kind == "timeseries" else min(12.0, (width - 16) / (0.61 * len(cell.panel.title)))
    canvas.text(x + 10, y + 19, cell.panel.title, size=round(size, 1), bold=True)
    if not series:
        why = f"needs {SERVERS[cell.panel.needs]}" if cell.panel.needs else "nothing in this window"
        canvas.text(x + width / 2, y + height / 2 + 8, why, size=12, colour=FAINT, anchor="middle")
    elif cell.panel.kind == "stat":
        _stat(canvas, cell.panel, series[0], window, (x, y, width, height))
    else:
        _chart(canvas, cell.panel, series, window, (x, y, width, height))


def _stat(canvas: Canvas, panel: Panel, one: Series, window: Window, place: tuple[float, float, float, float]) -> None:
    x, y, width, height = place
    values = [value for _, value in one.points]
    top = max(values) or 1.0
    across, up = Scale(0, window.seconds, x + 1, x + width - 1), Scale(0, top, y + height - 2, y + height - 34)
    points = _bends([(across(at), up(value)) for at, value in one.points])
    canvas.curve(points, colour=PALETTE[0], width=1.2, shaded_to=y + height - 1)
    canvas.text(x + width / 2, y + 54, written(panel.unit, values[-1]), size=25, colour=INK, anchor="middle", bold=True)


def _chart(
    canvas: Canvas, panel: Panel, series: Sequence[Series], window: Window, place: tuple[float, float, float, float]
) -> None:
    x, y, width, height = place
    named = [one for one in series if one.name]
    rows = _legend_rows([one.name for one in named], width - 20)
    scale = axis(panel.unit, [value for one in series for _, value in one.points])
    across = Scale(0, window.seconds, x + 44, x + width - 14)
    up = Scale(0, scale.top, y + height - 28 - 17 * len(rows), y + 36)
    _grid(canvas, scale, across, up, window)
    canvas.text(x + width - 12, y + 19, scale.word, size=11, colour=FAINT, anchor="end")
    for number, one in reversed(list(enumerate(series))):
        points = _bends([(across(at), up(value)) for at, value in one.points])
        shaded = up.start if len(series) <= MOST_SHADED and len(points) > 1 else None
        canvas.curve(points, colour=PALETTE[number % len(PALETTE)], shaded_to=shaded, hint=one.name)
    _legend(canvas, rows, (x + 10, y + height - 17 * len(rows) + 3))


def _grid(canvas: Canvas, scale: Axis, across: Scale, up: Scale, window: Window) -> None:
    for tick in scale.ticks:
        height = up(tick * scale.factor)
        canvas.line(across.start, height, across.end, height, colour=GRID)
        canvas.text(across.start - 6, height + 4, f"{tick:g}", size=11, colour=FAINT, anchor="end")
    minutes = axis("short", [window.seconds / 60]).ticks
    for minute in minutes[1:]:
        if minute * 60 <= window.seconds:
            words = f"{minute:g} min" if minute == minutes[1] else f"{minute:g}"
            canvas.text(across(minute * 60), up.start + 15, words, size=11, colour=FAINT, anchor="middle")


def _bends(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points without those that lie on the line between the ones that stay, to a quarter of a pixel."""
    kept, left_out = [points[0]], list[tuple[float, float]]()
    for here, after in pairwise(points[1:]):
        slope = (after[1] - kept[-1][1]) / (after[0] - kept[-1][0])
        if all(abs(kept[-1][1] + slope * (x - kept[-1][0]) - y) < 0.25 for x, y in (*left_out, here)):
            left_out.append(here)
        else:
            kept, left_out = [*kept, here], []
    return [*kept, *points[1:][-1:]]


def _legend_rows(names: Sequence[str], width: float) -> list[list[tuple[str, int | None]]]:
    """Names with the numbers of their colours, in as many rows as they take; the last says what is left out."""
    rows: list[list[tuple[str, int | None]]] = [[]] if names else []
    left = width
    for number, name in enumerate(names):
        takes = 26 + LETTER * len(name)
        last = len(rows) == LEGEND_ROWS
        room = left - (70 if last and number < len(names) - 1 else 0)
        if takes > room and rows[-1]:
            if last:
                rows[-1].append((f"+ {len(names) - number} more", None))
                break
            rows.append([])
            left = width
        rows[-1].append((name, number))
        left -= takes
    return rows


def _legend(canvas: Canvas, rows: Sequence[Sequence[tuple[str, int | None]]], place: tuple[float, float]) -> None:
    for number, row in enumerate(rows):
        x, y = place[0], place[1] + 17 * number
        for name, colour in row:
            if colour is not None:
                canvas.line(x, y - 4, x + 10, y - 4, colour=PALETTE[colour % len(PALETTE)], width=3)
            canvas.text(x + (15 if colour is not None else 0), y, name, size=11, colour=FAINT)
            x += 26 + LETTER * len(name)
