"""The lines of a PDF page with their places, as PDFium orders them."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pypdfium2 import PdfTextPage, raw

CELL_GAP = 0.9
"""A gap this many times as wide as the line is high parts two cells of a table row; words are 0.25 apart."""
BULLET = re.compile(r"[•‣▪◦●○■–—*-]|\(?\d{1,2}[.)]|\(?[a-z][.)]")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its cells' text (one cell unless there are wide gaps) and its box in points, y upwards."""

    cells: tuple[str, ...]
    left: float
    right: float
    bottom: float
    top: float
    first_right: float
    """Right edge of the first cell."""

    @property
    def height(self) -> float:
        """Of the line's letters."""
        return max(self.top - self.bottom, 1.0)


def page_lines(page: PdfTextPage) -> list[Line]:
    """The lines in reading order. Where PDFium's places don't match its text, lines are stacked by their order."""
    text = page.get_text_range()
    exact = len(text) == page.count_chars()
    boxes = _Boxes(page)
    lines: list[Line] = []
    position = 0
    for number, part in enumerate(text.split("\n")):
        if part.strip():
            lines.append(_line(part, position, boxes) if exact else _stacked(part, number))
        position += len(part) + 1
    return lines


class _Boxes:
    """Boxes of characters, read straight from PDFium: this is the inner loop of parsing."""

    def __init__(self, page: PdfTextPage) -> None:
        self._page = page.raw
        self._rectangle = raw.FS_RECTF()
        self._pointer = ctypes.byref(self._rectangle)

    def box(self, index: int) -> tuple[float, float, float, float]:
        """left, right, bottom, top: of the font, not of the letter, so that lines of one size are equally high."""
        raw.FPDFText_GetLooseCharBox(self._page, index, self._pointer)
        box = self._rectangle
        return box.left, box.right, box.bottom, box.top


def _line(part: str, position: int, boxes: _Boxes) -> Line:
    words = list(_words(part, position, boxes))
    left = min(word[1] for word in words)
    bottom = min(word[3] for word in words)
    top = max(word[4] for word in words)
    height = max(max(word[4] - word[3] for word in words), 1.0)
    cells: list[list[str]] = [[words[0][0]]]
    first_right = right = words[0][2]
    for text, start, end, _, _ in words[1:]:
        if start - right > CELL_GAP * height:
            cells.append([])
        cells[-1].append(text)
        right = end
        first_right = right if len(cells) == 1 else first_right
    if len(cells) > 1 and BULLET.fullmatch(" ".join(cells[0])):
        cells[:2] = [[*cells[0], *cells[1]]]
        first_right = right
    texts = tuple(" ".join(cell) for cell in cells)
    return Line(texts, left, max(word[2] for word in words), bottom, top, first_right)


def _words(part: str, position: int, boxes: _Boxes) -> Iterator[tuple[str, float, float, float, float]]:
    for match in _WORD.finditer(part):
        left, _, bottom, top = boxes.box(position + match.start())
        _, right, other_bottom, other_top = boxes.box(position + match.end() - 1)
        yield match[0], left, right, min(bottom, other_bottom), max(top, other_top)


def _stacked(part: str, number: int) -> Line:
    return Line((part.strip(),), 0.0, 100.0, -12.0 * number, -12.0 * number + 10.0, 100.0)
