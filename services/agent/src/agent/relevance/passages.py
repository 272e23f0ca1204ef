"""The units of the retrieved chunks with all that is needed to compare them with a question or a claim."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from agent.relevance.tables import Columns, columns_of
from agent.text.ranges import Range, ranges
from agent.text.sentences import Span, Unit, cells, split
from agent.text.words import form_set
from contracts.retrieval.search import Hit

_SPACE = re.compile(r"\s+")
_MARKS = re.compile(r"^[#>\s]+|[*`]{1,3}(?=\S)|(?<=\S)[*`]{1,3}(?=\W|$)")
_UNDERLINED = re.compile(
    r"(?<![\w`])(?:__(?=\S)([^_\n]{1,100} [^_\n]{1,100})(?<=\S)__|_(?=\S)([^_\n]{1,200})(?<=\S)_)(?![\w`])"
)
"""Words between underscores; others are of names, as in `TIDE_CACHE` and `__init__`."""


@dataclass(frozen=True)
class Passage:
    """One unit of one hit. `start..end` index the hit's text; the document's offset is `hit.start` more."""

    hit: Hit
    rank: int
    """The hit's place in the search result, from 0."""
    unit: Unit
    before: str = ""
    """The unit before it in the same block, for what it refers to."""
    after: str = field(default="", repr=False)
    columns: Columns = ()
    """Column names of its table, where that begins in another chunk."""

    @cached_property
    def text(self) -> str:
        """The unit's exact characters."""
        return self.hit.text[self.unit.start : self.unit.end]

    @cached_property
    def heading(self) -> str:
        """The nearest heading above it in its chunk, or the last of the chunk's heading path."""
        if self.unit.heading is not None and self.unit.kind not in ("heading", "question"):
            return plain(self.hit.text[slice(*self.unit.heading)])
        return self.hit.heading_path[-1] if self.hit.heading_path else ""

    @cached_property
    def labels(self) -> list[str]:
        """Column names of a table row, as far as they are known."""
        if self.unit.header is None:
            return [plain(name) for name in self.columns]
        return [plain(cell) for cell in cells(self.hit.text[slice(*self.unit.header)])]

    @cached_property
    def context(self) -> str:
        """Title, heading path, heading and column names: what the unit is about without saying so."""
        return "\n".join((self.hit.title, *self.hit.heading_path, self.heading, *self.labels))

    @cached_property
    def in_context(self) -> str:
        """The unit and what it is about."""
        return f"{self.text}\n{self.context}"

    @property
    def chunk_in_context(self) -> str:
        """Its whole chunk, with the same."""
        return f"{self.hit.text}\n{self.context}"

    @cached_property
    def forms(self) -> frozenset[str]:
        """Comparable forms of its words."""
        return form_set(self.text)

    @cached_property
    def context_forms(self) -> frozenset[str]:
        """Comparable forms of its context's words."""
        return form_set(self.context)

    @cached_property
    def near_forms(self) -> frozenset[str]:
        """The forms of its own words and of its context's."""
        return self.forms | self.context_forms

    @cached_property
    def ranges(self) -> list[Range]:
        """The ranges of numbers that it names."""
        return ranges(self.text)

    @cached_property
    def embedded_text(self) -> str:
        """What is embedded for it: the heading, then the unit in running words."""
        body = readable(self)
        return f"{self.heading}: {body}" if self.heading else f"{self.hit.title}: {body}"

    @property
    def span(self) -> Span:
        """What is quoted for it: the unit; for a row with column names, from its header row on."""
        if self.unit.header is not None:
            return self.unit.header[0], self.unit.end
        return self.unit.start, self.unit.end


def plain(text: str) -> str:
    """Running text: white space single, Markdown's emphasis and heading marks gone."""
    return _SPACE.sub(" ", _MARKS.sub("", _UNDERLINED.sub(r"\1\2", text))).strip()


def readable(passage: Passage) -> str:
    """A unit as a reader wants it: a table row as `Column: cell` pairs, a sentence without line breaks."""
    if passage.unit.kind != "row":
        return plain(passage.text)
    parts = [plain(cell) for cell in cells(passage.text)]
    labels = passage.labels
    if len(labels) == len(parts):
        pairs = [f"{label}: {cell}" if label else cell for label, cell in zip(labels, parts, strict=True) if cell]
        return "; ".join(pairs)
    filled = [part for part in parts if part]
    return f"{filled[0]}: {', '.join(filled[1:])}" if len(filled) > 1 else "".join(filled)


def passages(hits: Sequence[Hit], columns: Mapping[str, Columns] | None = None) -> list[Passage]:
    """The units of all hits in order; one that an overlapping chunk repeats is kept once, where it is whole. `columns`
    are known names of tables that chunks begin in the middle of."""
    found: list[Passage] = []
    named = columns_of(hits, columns)
    taken: dict[tuple[str, str, int], list[Span]] = {}
    for rank, hit in enumerate(hits):
        spans = taken.setdefault((hit.collection, hit.document_id, hit.revision), [])
        units, names = split(hit.text), named.get(hit.chunk_id, ())
        if names:
            units = [_of_table(unit, units[0].block) for unit in units]
        fresh: list[Span] = []
        for at, unit in enumerate(units):
            span = (hit.start + unit.start, hit.start + unit.end)
            if any(begin <= span[0] and span[1] <= end for begin, end in spans):
                continue
            fresh.append(span)
            own = names if unit.kind == "row" and unit.block == units[0].block else ()
            found.append(Passage(hit, rank, unit, _neighbour(hit, units, at, -1), _neighbour(hit, units, at, 1), own))
        spans.extend(fresh)
    return found


def _of_table(unit: Unit, block: int) -> Unit:
    """A unit of a table whose header is in another chunk: its own first row is none."""
    return replace(unit, kind="row", header=None) if unit.block == block else unit


def _neighbour(hit: Hit, units: Sequence[Unit], at: int, step: int) -> str:
    other = at + step
    if 0 <= other < len(units) and units[other].kind != "row" and units[at].kind != "row":
        return hit.text[units[other].start : units[other].end]
    return ""
