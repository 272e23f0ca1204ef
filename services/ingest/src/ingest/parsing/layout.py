"""From placed lines to paragraphs and table rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ingest.parsing.lines import BULLET, Line
from ingest.parsing.structure import BlockKind

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
_ITEM = re.compile(rf"(?:{BULLET.pattern})\s+\S|\d+(?:\.\d+)+\s+[^\W\d_]|\d+\s+[A-Z]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A block of a page, and how high its lines are in points."""

    kind: BlockKind
    text: str
    height: float


def paragraphs(lines: Sequence[Line]) -> Iterator[Piece]:
    """The blocks of a page in order."""
    group: list[Line] = []
    for line in _rows(lines):
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
        beside = _beside(rows, line)
        if beside:
            cell = rows[-beside:]
            del rows[-beside:]
            rows.append(_joined(cell, line))
        elif rows and _continues_last_cell(rows[-1], line):
            rows[-1] = replace(
                rows[-1],
                cells=(*rows[-1].cells[:-1], f"{rows[-1].cells[-1]} {' '.join(line.cells)}"),
                bottom=min(rows[-1].bottom, line.bottom),
                right=max(rows[-1].right, line.right),
            )
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
    first = cell[0].cells if len(cell) == 1 else (" ".join(" ".join(part.cells) for part in cell),)
    return Line(
        (*first, *line.cells),
        min(part.left for part in whole),
        max(part.right for part in whole),
        min(part.bottom for part in whole),
        max(part.top for part in whole),
        cell[0].first_right if len(cell) == 1 else max(part.right for part in cell),
    )


def _continues_last_cell(row: Line, line: Line) -> bool:
    """Whether `line` lies under the last cell of a row of several: it is right of the first cell, and near."""
    within = line.left > row.first_right and row.bottom - line.top < LEADING * line.height
    return len(row.cells) > 1 and len(line.cells) == 1 and within and line.top < row.top


def _close(above: Line, line: Line) -> bool:
    gap = above.bottom - line.top
    height = max(above.height, line.height)
    rows = len(above.cells) > 1 and len(line.cells) > 1
    same_size = min(above.height, line.height) > SAME_SIZE * height
    return -1.5 * height < gap < (ROW_LEADING if rows else LEADING) * height and (same_size or rows)


def _block(group: Sequence[Line]) -> Piece:
    width = max(line.first_right if len(line.cells) > 1 else line.right for line in group)
    left = min(line.left for line in group)
    text = _text(group[0])
    for above, line in pairwise(group):
        wrapped = (
            len(above.cells) == 1 and above.right - left >= FULL * (width - left) and not _ITEM.match(line.cells[0])
        )
        text += (" " if wrapped and line.left - left < 4 * line.height else "\n") + _text(line)
    rows = sum(len(line.cells) > 1 for line in group)
    items = sum(bool(_ITEM.match(line.cells[0])) for line in group)
    kind: BlockKind = "table" if rows * 2 > len(group) else "list" if items else "paragraph"
    return Piece(kind, text, min(line.height for line in group))


def _text(line: Line) -> str:
    return " | ".join(line.cells)
