"""Tables that go on from one chunk to the next: a row's column names are in the chunk that the table begins in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from agent.text.sentences import Unit, cells, split
from contracts.retrieval.search import Hit

Columns = tuple[str, ...]
GAP = 1
"""Characters between two chunks of one table or list: the end of a line."""


def begins_in_table(hit: Hit) -> bool:
    """Whether a chunk that does not begin its document begins with a row that has no header above it."""
    first = next(iter(split(hit.text)), None)
    return hit.start > 0 and first is not None and first.kind == "row" and first.header is None


def goes_on(before: Hit, after: Hit) -> bool:
    """Whether nothing stands between two chunks of a document but the end of a line."""
    same = (before.collection, before.document_id, before.revision) == (
        after.collection,
        after.document_id,
        after.revision,
    )
    return same and before.start < after.start <= before.end + GAP


def columns_of(hits: Sequence[Hit], known: Mapping[str, Columns] | None = None) -> dict[str, Columns]:
    """By chunk, the column names of the table that it begins in the middle of: those that are `known`, and those of
    the chunk before it where that is among the hits."""
    found = dict(known or {})
    ordered = sorted(hits, key=lambda hit: (hit.collection, hit.document_id, hit.revision, hit.start))
    for before, after in pairwise(ordered):
        columns = _at_the_end(before, found.get(before.chunk_id, ()))
        if columns and goes_on(before, after) and _first_row_has(after, len(columns)):
            found.setdefault(after.chunk_id, columns)
    return found


def _at_the_end(hit: Hit, inherited: Columns) -> Columns:
    """The column names of the table that a chunk ends with."""
    units = split(hit.text)
    if not units:
        return ()
    last = units[-1]
    if inherited and last.block == units[0].block:
        return inherited
    if last.kind == "heading":
        names = cells(_text(hit, last))
        return tuple(names) if len(names) > 1 else ()
    if last.kind != "row" or last.header is None:
        return ()
    return tuple(cells(hit.text[slice(*last.header)]))


def _first_row_has(hit: Hit, count: int) -> bool:
    first = next(iter(split(hit.text)), None)
    return first is not None and first.kind in ("row", "heading") and len(cells(_text(hit, first))) == count


def _text(hit: Hit, unit: Unit) -> str:
    return hit.text[unit.start : unit.end]
