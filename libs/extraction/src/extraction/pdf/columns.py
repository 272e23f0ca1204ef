"""The reading order of a page: columns one after the other, whatever order they were drawn in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from statistics import median

from extraction.pdf.lines import Line, Span

LEAST_LINES = 4
"""Lines that a gutter must part before it is one."""
LEAST_WORDS = 3
"""Words that half of a column's lines have at least; the cells of a table mostly have fewer."""
FILLED = 0.6
"""Lines of running text reach over this share of their column, and this share of its lines do."""
MOST_CELLS = 12
"""A row of more cells is a table's or a drawing's."""
MOST_COLUMNS = 5
MOST_BLOCKS = 80
"""A page in more pieces than this is left as it was drawn: it is a drawing, and comparing them all takes long."""


def in_reading_order(rows: Sequence[Line]) -> list[Line]:
    """The lines of a page, and the cells of those that cross a gutter, as they are read.

    What is drawn row by row across columns is taken apart, a table is not. Blocks then come in the order in which they
    were drawn unless that breaks one of two rules: what stands above in the same column comes first, and what stands
    to the left does, unless something between them spans both.
    """
    lines = list(_apart(rows)) if sum(len(row.cells) > 1 for row in rows) >= LEAST_LINES else list(rows)
    if all(above.bottom - line.top > -0.5 * (line.top - line.bottom) for above, line in pairwise(lines)):
        return lines
    blocks = _tabular(_blocks(lines))
    return [line for block in _ordered(blocks) for line in block] if len(blocks) <= MOST_BLOCKS else lines


def _apart(rows: Sequence[Line]) -> Iterator[Line]:
    """The rows, with runs of them that cross the same gutters split into columns."""
    start = 0
    while start < len(rows):
        if not 2 <= len(rows[start].cells) <= MOST_CELLS:
            yield rows[start]
            start += 1
            continue
        end, gutters = _run(rows, start)
        columns = _columns(rows[start:end], gutters)
        if columns:
            for column in columns:
                yield from column
        else:
            yield from rows[start:end]
        start = end


def _run(rows: Sequence[Line], start: int) -> tuple[int, list[Span]]:
    """How far the rows from `start` leave the same gutters free, and which."""
    gutters = _gaps(rows[start])
    for end in range(start + 1, len(rows)):
        left = list(_common(gutters, rows[end]))
        if not left:
            return end, gutters
        gutters = left
    return len(rows), gutters


def _gaps(row: Line) -> list[Span]:
    return [(first[1], second[0]) for first, second in pairwise(row.spans) if second[0] > first[1]]


def _common(gutters: Sequence[Span], row: Line) -> Iterator[Span]:
    if len(row.cells) > MOST_CELLS:
        return
    free = [(float("-inf"), row.left), *_gaps(row), (row.right, float("inf"))]
    least = 0.5 * row.height
    for left, right in gutters:
        for other_left, other_right in free:
            # What `max` and `min` would say; this is the inner loop of pages that are full of tables.
            from_, to = (left if left > other_left else other_left), (right if right < other_right else other_right)
            if to - from_ > least:
                yield from_, to


def _columns(rows: Sequence[Line], gutters: Sequence[Span]) -> list[list[Line]]:
    """The columns that the gutters part, if each of them is running text; none if they are a table's."""
    if sum(len(row.cells) > 1 for row in rows) < LEAST_LINES or len(gutters) >= MOST_COLUMNS:
        return []
    edges = [float("-inf"), *(sum(gutter) / 2 for gutter in sorted(gutters)), float("inf")]
    columns = [[part for row in rows if (part := _part(row, left, right))] for left, right in pairwise(edges)]
    return columns if all(map(_is_prose, columns)) else []


def _part(row: Line, left: float, right: float) -> Line | None:
    """The cells of a row that stand between two edges."""
    inside = [number for number, span in enumerate(row.spans) if left < (span[0] + span[1]) / 2 < right]
    if not inside:
        return None
    spans = tuple(row.spans[number] for number in inside)
    return Line(tuple(row.cells[number] for number in inside), spans[0][0], spans[-1][1], row.bottom, row.top, spans)


def _is_prose(column: Sequence[Line]) -> bool:
    if len(column) < LEAST_LINES:
        return False
    left, right = min(line.left for line in column), max(line.right for line in column)
    filled = sum(line.right - line.left >= FILLED * (right - left) for line in column)
    words = median(len(cell.split()) for line in column for cell in line.cells)
    return words >= LEAST_WORDS and filled >= FILLED * len(column)


_Box = tuple[float, float, float]


class _Block(list[Line]):
    """Lines that were drawn one under the other, and their box."""

    def __init__(self, line: Line) -> None:
        super().__init__((line,))
        self.left, self.right, self.bottom, self.top = line.left, line.right, line.bottom, line.top

    def takes(self, line: Line) -> bool:
        """Whether the line stands right under the block, and as wide."""
        height = line.top - line.bottom
        near = -0.5 * height < self.bottom - line.top < 2.5 * height
        return near and line.left < self.right and line.right > self.left

    def add(self, line: Line) -> None:
        """The line becomes the block's last."""
        self.append(line)
        if line.left < self.left:
            self.left = line.left
        if line.right > self.right:
            self.right = line.right
        if line.bottom < self.bottom:
            self.bottom = line.bottom


def _blocks(lines: Sequence[Line]) -> list[_Block]:
    blocks: list[_Block] = []
    for line in lines:
        if blocks and blocks[-1].takes(line):
            blocks[-1].add(line)
        else:
            blocks.append(_Block(line))
    return blocks


def _tabular(blocks: Sequence[_Block]) -> list[_Block]:
    """The blocks, with those joined that are the columns of a table: side by side, line by line, and no prose."""
    joined: list[_Block] = []
    for block in blocks:
        table = joined[-1] if joined else None
        if (
            table
            and block.left > table.right
            and _in_step(table, block)
            and not (_is_prose(table) and _is_prose(block))
        ):
            joined[-1] = _side_by_side(table, block)
        else:
            joined.append(block)
    return joined


def _in_step(table: _Block, block: _Block) -> bool:
    """Whether nearly every line of the block stands at the height of one of the table's, and both are a few words."""
    if len(block) < LEAST_LINES or abs(table.top - block.top) > block[0].height:
        return False
    if max(median(len(cell.split()) for line in side for cell in line.cells) for side in (table, block)) >= LEAST_WORDS:
        return False
    heights = {round(line.bottom) for line in table}
    level = sum(not heights.isdisjoint(round(line.bottom) + by for by in (-1, 0, 1)) for line in block)
    return level >= 0.8 * len(block)


def _side_by_side(table: _Block, block: _Block) -> _Block:
    """Rows of both, from the top."""
    rows: list[Line] = []
    for line in sorted([*table, *block], key=lambda line: (-round(line.bottom), line.left)):
        above = rows[-1] if rows else None
        if above and abs(above.bottom - line.bottom) < 0.3 * line.height and line.left > above.right:
            cells, spans = above.cells + line.cells, above.spans + line.spans
            top, bottom = max(above.top, line.top), min(above.bottom, line.bottom)
            rows[-1] = Line(cells, above.left, line.right, bottom, top, spans)
        else:
            rows.append(line)
    whole = _Block(rows[0])
    for row in rows[1:]:
        whole.add(row)
    return whole


def _ordered(blocks: Sequence[_Block]) -> Iterator[_Block]:
    """The blocks so that each comes after those that must come before it; among the free ones, the first drawn.

    The two rules are those of Breuel, "High performance document layout analysis" (2003).
    """
    boxes = [(block.left, block.right, (block.bottom + block.top) / 2) for block in blocks]
    before: list[set[int]] = [set() for _ in blocks]
    for one, two in combinations(range(len(blocks)), 2):
        first = _first(boxes[one], boxes[two], boxes)
        if first is not None:
            before[two if first else one].add(one if first else two)
    waiting, done = list(range(len(blocks))), set[int]()
    while waiting:
        # Boxes that overlap can make a circle of rules; then the first drawn goes.
        free = next((number for number in waiting if before[number] <= done), waiting[0])
        waiting.remove(free)
        done.add(free)
        yield blocks[free]


def _first(one: _Box, two: _Box, boxes: Sequence[_Box]) -> bool | None:
    """Whether box `one` (left, right, middle) comes before box `two`; None if either may."""
    left, right, middle = one
    other_left, other_right, other_middle = two
    if right > other_left + 1 and other_right > left + 1:
        return middle > other_middle
    before = left < other_left
    inner, outer = (right, other_left) if before else (other_right, left)
    low, high = (middle, other_middle) if middle < other_middle else (other_middle, middle)
    for box in boxes:
        if box[0] < inner and box[1] > outer and low < box[2] < high:
            return None
    return before
