"""The lines of a PDF page with their places, as PDFium orders them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pypdfium2 import PdfTextPage

from extraction.pdf.glyphs import Glyphs
from extraction.pdf.rotation import Turn, page_turn

CELL_GAP = 0.9
"""A gap this many times as wide as the line is high parts two cells of a table row; words are 0.25 apart."""
PROSE_GAP = 1.3
"""The same within a line of `PROSE_CHARS`: what makes columns flush stretches the blanks between sentences."""
PROSE_CHARS = 40
TABLE_GAPS = 3
"""So many gaps in one line are no accident: it is a table's."""
LOOSE = 0.6
"""A line that is this many times as wide as its characters are high has gaps in it; prose is at 0.4, seldom 0.55."""
HYPHEN = "\ufffe"
"""What PDFium writes for a hyphen at the end of a line; what became of the word is decided later."""
NUMBER_GAP = 1.6
"""A number that stands as near as this before a line's text belongs to it: the number of a section."""
BULLET = re.compile(r"[•‣▪◦●○■–—*-]|\(?\d{1,2}[.)]|\(?[a-z][.)]")
_LINE = re.compile(rf"[^\s{HYPHEN}](?:[^\r\n{HYPHEN}]*[^\s{HYPHEN}])?{HYPHEN}?")
_NUMBER = re.compile(r"\d{1,2}(?:\.\d{1,2})*\.?")
_WORD = re.compile(r"\S+")
Span = tuple[float, float]


class Line(NamedTuple):
    """One line: its cells' text (one cell unless there are wide gaps) and its box in points, y upwards."""

    cells: tuple[str, ...]
    left: float
    right: float
    bottom: float
    top: float
    spans: tuple[Span, ...]
    """Left and right edge of each cell."""

    @property
    def height(self) -> float:
        """Of the line's letters."""
        return max(self.top - self.bottom, 1.0)


def page_lines(page: PdfTextPage) -> list[Line]:
    """The lines in PDFium's order, as if the page were turned so that most of them run from left to right."""
    text = page.get_text_range()
    found = [(match.start(), match.end(), match[0]) for match in _LINE.finditer(text)]
    glyphs = Glyphs(page, text)
    positions = [spot for start, end, part in found for spot in (start, start + _middle(part), end - 1)]
    boxes = glyphs.boxes(positions)
    turn = page_turn(glyphs, positions, boxes)
    if turn:
        boxes = turn.boxes(boxes)
    lines: list[Line] = []
    astray: list[str] = []
    for (start, end, part), places in zip(found, zip(*[iter(boxes)] * 12, strict=True), strict=True):
        if not -1 <= places[3] - places[11] <= 1 and _goes_up_or_down(places) and end - start > 1:
            below = list(_broken(part, start, glyphs, turn))
            lines += below
            astray += () if below else (part,)
        else:
            lines.append(_line(part, start, end, places, glyphs, turn))
    if turn:  # PDFium orders what it takes for upright
        lines.sort(key=lambda line: (-round(line.top + line.bottom), line.left))
    return [*lines, *_under(lines, astray)]


def _goes_up_or_down(places: Sequence[float]) -> bool:
    """Whether the last character stands at another height than the first."""
    return abs(places[3] - places[11]) > places[1] - places[3]


def _middle(part: str) -> int:
    """A character in the middle that is no blank."""
    middle = len(part) // 2
    return middle if not part[middle].isspace() else middle - 1 if not part[middle - 1].isspace() else 0


def _line(part: str, start: int, end: int, places: Sequence[float], glyphs: Glyphs, turn: Turn | None) -> Line:
    left, top, right, bottom, _, _, _, middle, last_left, _, last_right, _ = places
    if not bottom - 0.1 < middle < bottom + 0.1:
        # A footnote's mark or a formula at an end must not change how high the line is: two of three places decide.
        thirds = sorted((places[at + 1] - places[at + 3], places[at + 1], places[at + 3]) for at in (0, 4, 8))
        _, top, bottom = thirds[1]
    if last_left < left:
        left = last_left
    if last_right > right:
        right = last_right
    height = max(top - bottom, 1.0)
    gap = 0.0
    if turn is None and (runs := glyphs.runs(start, end)):
        gap, first, reach = _widest_gap(runs)
        left, right = min(left, first), max(right, reach)
    loose = turn is not None or right - left > LOOSE * len(part) * height
    if (loose or gap > _least_gap(part) * height) and " " in part:
        words = list(_words(part, start, glyphs, turn))
        if turn:
            words.sort(key=lambda word: word.left)
        return _row(words, _least_gap(part), (bottom, top))
    return Line((" ".join(part.split()) if "  " in part else part,), left, right, bottom, top, ((left, right),))


def _widest_gap(runs: list[Span]) -> tuple[float, float, float]:
    """The widest gap between what was drawn, and where that begins and ends."""
    runs.sort()
    first, reach = runs[0]
    gap = 0.0
    for left, right in runs:  # without `max`: this is the inner loop of pages whose lines were drawn in pieces
        if left - reach > gap:
            gap = left - reach
        if right > reach:
            reach = right
    return gap, first, reach


class _Word(NamedTuple):
    text: str
    left: float
    right: float
    bottom: float
    top: float
    level: bool
    """Whether it is written at one height."""


def _words(part: str, start: int, glyphs: Glyphs, turn: Turn | None) -> Iterator[_Word]:
    words = [(match.start(), match.end(), match[0]) for match in _WORD.finditer(part)]
    places = glyphs.boxes([start + spot for first, end, _ in words for spot in (first, end - 1)])
    if turn:
        places = turn.boxes(places)
    for number, (_, _, word) in enumerate(words):
        left, top, right, bottom, left2, top2, right2, bottom2 = places[8 * number : 8 * number + 8]
        if left2 < left:
            left, right2 = left2, right
        yield _Word(word, left, right2, min(bottom, bottom2), max(top, top2), abs(bottom - bottom2) < top - bottom)


def _broken(part: str, start: int, glyphs: Glyphs, turn: Turn | None) -> Iterator[Line]:
    """The lines of what PDFium took for one although it goes up or down; none if it is written slantwise."""
    words = list(_words(part, start, glyphs, turn))
    if sum(word.level for word in words) * 2 <= len(words):
        return
    line = words[:1]
    for word in words[1:]:
        if abs(word.bottom - line[-1].bottom) > 0.6 * max(line[-1].top - line[-1].bottom, 1.0):
            yield _row(line)
            line = []
        line.append(word)
    yield _row(line)


def _least_gap(part: str) -> float:
    return CELL_GAP if len(part) < PROSE_CHARS else PROSE_GAP


def _row(words: Sequence[_Word], least_gap: float = CELL_GAP, box: tuple[float, float] | None = None) -> Line:
    """A line whose cells are told by the places of its words; `box` is its bottom and top."""
    bottom, top = box or (min(word.bottom for word in words), max(word.top for word in words))
    height = max(top - bottom, 1.0)
    wide = sum(two.left - one.right > CELL_GAP * height for one, two in pairwise(words))
    least_gap = CELL_GAP if wide >= TABLE_GAPS else least_gap
    cells: list[tuple[str, float, float]] = []
    for word in words:
        gap = max(word.left - cells[-1][2], cells[-1][1] - word.right) if cells else 0.0
        if cells and (gap <= least_gap * height or (len(cells) == 1 and _is_number(cells[0][0], gap, height))):
            text, left, right = cells[-1]
            cells[-1] = (f"{text} {word.text}", min(left, word.left), max(right, word.right))
        else:
            cells.append((word.text, word.left, word.right))
    if len(cells) > 1 and BULLET.fullmatch(cells[0][0]):
        (mark, left, _), (text, _, right) = cells[:2]
        cells[:2] = [(f"{mark} {text}", left, right)]
    texts, spans = tuple(cell[0] for cell in cells), tuple(cell[1:] for cell in cells)
    return Line(texts, min(span[0] for span in spans), max(span[1] for span in spans), bottom, top, spans)


def _is_number(text: str, gap: float, height: float) -> bool:
    """Whether a first cell is the number of what follows."""
    return gap <= NUMBER_GAP * height and _NUMBER.fullmatch(text) is not None


def _under(lines: Sequence[Line], astray: Sequence[str]) -> Iterator[Line]:
    """What runs in another direction than the page, such as a stamp at its edge, stacked under it."""
    base = min((line.bottom for line in lines), default=0.0)
    left, right = min((line.left for line in lines), default=0.0), max((line.right for line in lines), default=100.0)
    for text in astray:
        base -= 30.0
        yield Line((text,), left, right, base, base + 10.0, ((left, right),))
