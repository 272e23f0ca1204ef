"""CSV and TSV: one table, its first row the header; which character parts the cells is told from the file itself."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from extraction.model.document import Builder, Extracted, is_header
from extraction.text.text_file import text_file

DELIMITERS = (",", ";", "\t", "|", ":")
SAMPLE_CHARS = 64 * 1024
SAMPLE_ROWS = 200
RARE = 0.5
"""What the share of a delimiter counts that stands within cells, in times and links, more often than between them."""


def parse(text: str) -> Extracted:
    """All rows in order. A cell's line breaks become blanks, so that a row stays on its line."""
    text = text.removeprefix("\ufeff")
    builder = Builder()
    rows = map(_trimmed, _rows(text, _delimiter(text)))
    first = next((row for row in rows if row), [])
    builder.rows(chain([first], (row + [""] * (len(first) - len(row)) for row in rows)), header=is_header(first))
    return builder.finish()


read = text_file(parse)


def _trimmed(row: list[str]) -> list[str]:
    """A row without the empty cells at its end, which a sheet's export leaves behind its short rows."""
    while row and not row[-1].strip():
        row.pop()
    return row


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """The rows; quotes count only where they come in pairs, or one that is left open would swallow all that follows."""
    csv.field_size_limit(len(text) + 1)
    if text.count('"') % 2:
        return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _delimiter(text: str) -> str:
    """By which the most rows have the same number of cells, two or more, and the more the better; else a comma."""
    sample = text[:SAMPLE_CHARS]
    if len(text) > len(sample):
        sample = sample[: sample.rfind("\n") + 1] or sample
    return max(DELIMITERS, key=lambda delimiter: _evenness(sample, delimiter))


def _evenness(sample: str, delimiter: str) -> tuple[float, int]:
    """The share of rows that have the most frequent number of cells, and that number."""
    widths = Counter[int]()
    for _, row in zip(range(SAMPLE_ROWS), _rows(sample, delimiter), strict=False):
        if any(cell.strip() for cell in row):
            widths[len(row)] += 1
    if not widths:
        return 0.0, 0
    width, rows = max(widths.items(), key=lambda found: found[1] * (found[0] > 1))
    share = rows / widths.total() if width > 1 else 0.0
    return share * (RARE if delimiter == ":" else 1), width
