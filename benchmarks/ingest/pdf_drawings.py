"""PDF pages drawn from known text, each of a kind that readers get wrong: what `parsers_pdf.py` reads."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

LEADING = 13


def _words(seed: int, count: int) -> list[str]:
    """Words that occur once, so that their order can be told."""
    chooser = random.Random(seed)
    syllables = [first + second for first in "bdfgklmnprst" for second in "aeiou"]
    return ["".join(chooser.choices(syllables, k=chooser.randint(2, 4))) for _ in range(count)]


def _lines(seed: int, count: int, width: int) -> list[str]:
    """Lines of running text, each about `width` characters long."""
    words, lines = iter(_words(seed, count * width)), []
    for _ in range(count):
        line = next(words)
        while len(line) + 8 < width:
            line += " " + next(words)
        lines.append(line)
    return lines


def _stack(canvas: Canvas, left: float, top: float, lines: Sequence[str]) -> None:
    for number, line in enumerate(lines):
        canvas.drawString(left, top - LEADING * number, line)


def _page(path: Path) -> Canvas:
    canvas = Canvas(str(path), pagesize=A4)
    canvas.setFont("Helvetica", 9)
    return canvas


def prose(path: Path) -> str:
    canvas, lines = _page(path), _lines(1, 45, 95)
    _stack(canvas, 60, 760, lines)
    canvas.save()
    return "\n".join(lines)


def columns(path: Path, count: int = 2, row_by_row: bool = False) -> str:
    canvas, width = _page(path), 480 // count
    texts = [_lines(10 + number, 40, width // 6) for number in range(count)]
    title = " ".join(_words(9, 6))
    if not row_by_row:
        for number, lines in enumerate(texts):
            _stack(canvas, 55 + number * (width + 15), 720, lines)
    else:
        for row in range(40):
            for number, lines in enumerate(texts):
                canvas.drawString(55 + number * (width + 15), 720 - LEADING * row, lines[row])
    canvas.setFont("Helvetica-Bold", 16)
    canvas.drawString(55, 770, title)
    canvas.save()
    return "\n".join([title, *(line for lines in texts for line in lines)])


def table(path: Path, by_column: bool = False) -> str:
    canvas = _page(path)
    rows = [_words(100 + number, 4) for number in range(30)]
    places = [(row, column) for row in range(30) for column in range(4)]
    for row, column in sorted(places, key=lambda place: place[1]) if by_column else places:
        canvas.drawString(60 + 120 * column, 760 - LEADING * row, rows[row][column])
    canvas.save()
    return "\n".join(" | ".join(row) for row in rows)


def table_in_column(path: Path) -> str:
    canvas = _page(path)
    left, above, below = _lines(20, 40, 42), _lines(21, 10, 42), _lines(22, 10, 42)
    rows = [_words(200 + number, 3) for number in range(8)]
    _stack(canvas, 55, 720, left)
    _stack(canvas, 310, 720, above)
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            canvas.drawString(310 + 75 * column, 570 - LEADING * number, cell)
    _stack(canvas, 310, 440, below)
    canvas.save()
    return "\n".join([*left, *above, *(" | ".join(row) for row in rows), *below])


def form(path: Path) -> str:
    canvas = _page(path)
    lines = []
    for number, (name, value) in enumerate(zip(_words(30, 12), _words(31, 12), strict=True)):
        canvas.acroForm.textfield(name=name, value=value, x=60, y=700 - 45 * number)
        lines.append(f"{name}: {value}")
    canvas.save()
    return "\n".join(lines)


def sideways(path: Path) -> str:
    canvas, lines = _page(path), _lines(40, 30, 95)
    canvas.rotate(90)
    canvas.setFont("Helvetica", 9)
    _stack(canvas, 60, -60, lines)
    canvas.save()
    return "\n".join(lines)


DRAWINGS: dict[str, Callable[[Path], str]] = {
    "prose": prose,
    "two columns": columns,
    "two columns, drawn row by row": lambda path: columns(path, row_by_row=True),
    "three columns": lambda path: columns(path, 3),
    "three columns, drawn row by row": lambda path: columns(path, 3, row_by_row=True),
    "table": table,
    "table, drawn column by column": lambda path: table(path, by_column=True),
    "table within a column": table_in_column,
    "form": form,
    "sideways": sideways,
}
