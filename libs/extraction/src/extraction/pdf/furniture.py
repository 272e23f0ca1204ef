"""What stands on every page of a PDF and belongs to none: running headers, footers, page numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from extraction.pdf.lines import Line

MARGIN = 0.08
"""Furniture stands in this share of the written height at the top or at the bottom of the page."""
LEAST_PAGES = 3
SHARE = 0.6
"""A line is furniture if its like stands in the same place on at least this share of the pages."""
LARGER = 1.12
"""A line this much higher than the body's is a heading, and no furniture."""
_DIGITS = re.compile(r"\d+")
Key = tuple[str, int]


def without_furniture(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """The pages without lines that recur at their edges, whatever numbers they count up. No page loses all its text."""
    needed = max(LEAST_PAGES, SHARE * sum(bool(page) for page in pages))
    if needed > len(pages):
        return [list(page) for page in pages]
    margins = _Margins(pages)
    marginal = [{id(line): _key(line) for line in margins.of(page)} for page in pages]
    seen = Counter(key for keys in marginal for key in set(keys.values()))
    kept = []
    for page, keys in zip(pages, marginal, strict=True):
        gone = {line for line, key in keys.items() if seen[key] >= needed}
        kept.append([line for line in page if id(line) not in gone] or list(page) if gone else list(page))
    return kept


class _Margins:
    """Where furniture may stand in one document."""

    def __init__(self, pages: Sequence[Sequence[Line]]) -> None:
        lines = [line for page in pages for line in page]
        top = max([line.top for line in lines], default=0.0)
        bottom = min([line.bottom for line in lines], default=0.0)
        heights: Counter[float] = Counter()
        for line in lines:
            height, cells = round(line.top - line.bottom, 1), line.cells
            heights[height] += len(cells[0]) if len(cells) == 1 else sum(map(len, cells))
        self._highest = LARGER * max(heights, key=lambda height: heights[height], default=0.0)
        self._upper = top - MARGIN * (top - bottom)
        self._lower = bottom + MARGIN * (top - bottom)

    def of(self, page: Sequence[Line]) -> Iterator[Line]:
        """The lines in a page's margins."""
        upper, lower = self._upper, self._lower
        for line in page:
            if (line.bottom >= upper or line.top <= lower) and line.height < self._highest:
                yield line


def _key(line: Line) -> Key:
    return _DIGITS.sub("#", " ".join(line.cells)), round(line.top)
