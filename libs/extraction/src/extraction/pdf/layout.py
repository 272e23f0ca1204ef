"""From placed lines to paragraphs and table rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from extraction.model.document import BlockKind
from extraction.pdf.columns import in_reading_order
from extraction.pdf.lines import BULLET, HYPHEN, Line

LOOK_BACK = 6
"""A cell of a table wraps to at most this many lines."""
LEADING = 0.6
"""Lines of one paragraph are at most this many line heights apart."""
SAME_SIZE = 0.9
"""Lines of one paragraph differ in height by at most this factor."""
ROW_LEADING = 1.6
"""So are the rows of one table."""
FULL = 0.8
"""A line that reaches this share of its paragraph's width was wrapped, so that the next continues it."""
_RANGE = re.compile(r"\d[-–]\d")
_ITEM = re.compile(rf"(?:{BULLET.pattern})\s+\S|\d+(?:\.\d+)+\s+[^\W\d_]|\d+\s+[A-Z]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A block of a page, and how high its lines are in points."""

    kind: BlockKind
    text: str
    height: float


def paragraphs(lines: Sequence[Line]) -> Iterator[Piece]:
    """The blocks of a page in reading order. A word parted at a line's end keeps its `HYPHEN`, without a line break."""
    group: list[Line] = []
    for line in in_reading_order(_rows(lines)):
        if group and not _close(group[-1], line):
            yield _block(group)
            group = []
        group.append(line)
    if group:
        yield _block(group)


def _rows(lines: Sequence[Line]) -> list[Line]:
    """Lines that stand side by side become one: the cells of a table's row arrive one after another."""
    rows: list[Line] = []
    for line in lines:
        beside = _beside(rows, line) if rows and line.left > rows[-1].right - 1 else 0
        if beside:
            cell = rows[-beside:]
            del rows[-beside:]
            rows.append(_joined(cell, line))
        elif rows and len(rows[-1].cells) > 1 and _continues_last_cell(rows[-1], line):
            rows[-1] = _continued(rows[-1], line)
        else:
            rows.append(line)
    return rows


def _beside(rows: Sequence[Line], line: Line) -> int:
    """How many of the last rows are one cell that `line` stands to the right of; 0 if none."""
    right = 0.0
    for count, row in enumerate(reversed(rows[-LOOK_BACK:]), 1):
        right = max(right, row.right)
        if right > line.left + 1 or (count > 1 and abs(row.left - rows[-1].left) > 2):
            return 0
        middle = (line.top + line.bottom) / 2
        if row.bottom <= middle <= row.top:
            return count
        if row.bottom > line.top:
            return 0
    return 0


def _joined(cell: Sequence[Line], line: Line) -> Line:
    whole = [*cell, line]
    cells, spans = cell[0].cells, cell[0].spans
    if len(cell) > 1:
        cells = (_wrapped(part.cells[0] for part in cell),)
        spans = ((min(part.left for part in cell), max(part.right for part in cell)),)
    return Line(
        (*cells, *line.cells),
        min(part.left for part in whole),
        max(part.right for part in whole),
        min(part.bottom for part in whole),
        max(part.top for part in whole),
        (*spans, *line.spans),
    )


def _continues_last_cell(row: Line, line: Line) -> bool:
    """Whether `line` lies under the last cell of a row of several: it is right of the first cell, and near."""
    within = line.left > row.spans[0][1] and row.bottom - line.top < LEADING * line.height
    return len(line.cells) == 1 and within and line.top < row.top


def _continued(row: Line, line: Line) -> Line:
    left, right = row.spans[-1]
    return Line(
        (*row.cells[:-1], _wrapped((row.cells[-1], line.cells[0]))),
        row.left,
        max(row.right, line.right),
        min(row.bottom, line.bottom),
        row.top,
        (*row.spans[:-1], (min(left, line.left), max(right, line.right))),
    )


def _wrapped(parts: Iterable[str]) -> str:
    """The lines of one cell as one; a word that was parted is whole again."""
    return " ".join(parts).replace(f"{HYPHEN} ", HYPHEN)


def _close(above: Line, line: Line) -> bool:
    gap = above.bottom - line.top
    high, low = above.top - above.bottom, line.top - line.bottom
    height = max(high, low, 1.0)
    rows = len(line.cells) > 1 and len(above.cells) > 1
    near = -1.5 * height < gap < (ROW_LEADING if rows else LEADING) * height
    return near and (
        rows or (min(high, low) > SAME_SIZE * height and above.left < line.right > 0 < above.right - line.left)
    )


def _block(group: Sequence[Line]) -> Piece:
    if len(group) == 1 and len(group[0].cells) == 1:
        line = group[0]
        return Piece("list" if _ITEM.match(line.cells[0]) else "paragraph", line.cells[0], line.height)
    width = max([line.spans[0][1] if len(line.cells) > 1 else line.right for line in group])
    left = min([line.left for line in group])
    full = left + FULL * (width - left)
    texts = [_text(group[0])]
    rows = int(len(group[0].cells) > 1)
    items = int(bool(_ITEM.match(texts[0])))
    for above, line in pairwise(group):
        start = line.cells[0]
        item = _ITEM.match(start) is not None
        items += item
        rows += len(line.cells) > 1
        if texts[-1][-1] == HYPHEN:
            joint = ""
        elif len(above.cells) == 1 and above.right >= full and not item and line.left - left < 4 * line.height:
            joint = "" if texts[-1][-1] in "-–" and _RANGE.fullmatch(texts[-1][-2:] + start[0]) else " "
        else:
            joint = "\n"
        texts += (joint, start if len(line.cells) == 1 else " | ".join(line.cells))
    kind: BlockKind = "table" if rows * 2 > len(group) else "list" if items else "paragraph"
    return Piece(kind, "".join(texts), min([line.height for line in group]))


def _text(line: Line) -> str:
    return line.cells[0] if len(line.cells) == 1 else " | ".join(line.cells)
