"""Cutting a document into chunks: exact slices of its text, in order, that the embedding model reads whole."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from contracts.retrieval.collections import Chunking
from extraction.chunking.headers import SHARE, header, most_chars, with_row
from extraction.chunking.packer import overlapping, packed
from extraction.chunking.sections import Section, complete, sections
from extraction.chunking.splitter import Boundary, Span, parted, pieces, windows
from extraction.chunking.tokens import AT_ONCE, Measure, Tokens, go_on
from extraction.model.document import Block, BlockKind, Extracted

AUTO_TOKENS = 128
"""The size of a chunk where the collection names none: of 96 to 250 tokens, small chunks find more within the same
context (MiniLM, 276 questions: recall at 800 tokens .88, .86, .84, .81, .78 for 96, 128, 160, 200, 250)."""
JOINT_TOKENS = 3
"""Room for what joins header and text."""

_BOUNDARIES: dict[BlockKind, tuple[Boundary, ...]] = {
    "heading": ("sentence", "word"),
    "paragraph": ("sentence", "line", "word"),
    "list": ("line", "sentence", "word"),
    "table": ("line", "word"),
    "code": ("paragraph", "line", "word"),
}
_RECURSIVE: tuple[Boundary, ...] = ("paragraph", "line", "sentence", "word")


@dataclass(frozen=True, slots=True)
class Chunk:
    """The characters `start..end` of the text, and what is embedded before them."""

    start: int
    end: int
    page: int | None
    heading_path: tuple[str, ...]
    header: str
    embedding: str | None = None
    """Of a restored document: what the retriever gave out for it, encoded."""


class Chunker:
    """Cuts documents for one collection."""

    def __init__(self, tokens: Tokens, chunking: Chunking, max_input_tokens: int) -> None:
        self._tokens = tokens
        self._chunking = chunking
        self._max_input = max_input_tokens
        self._room = max(4, max_input_tokens - tokens.special - JOINT_TOKENS)
        self._header_room = self._room // SHARE

    def cut(self, document: Extracted, title: str, check: Callable[[], None] = go_on) -> list[Chunk]:
        """The chunks in order. They cover all text that is not white space, and none is above the model's limit.

        It takes time in proportion to the text, whatever the text. `check` is called every few milliseconds (while a
        megabyte is tokenized, not) and raises to end it.
        """
        measure = Measure(document.text, self._tokens, check)
        blocks = complete(document.blocks, document.text)
        if self._chunking.strategy in ("auto", "markdown"):
            by_page = self._chunking.strategy == "auto"
            chunks: Iterator[Chunk] = chain.from_iterable(
                self._section(measure, section, title, document.row) for section in sections(blocks, by_page=by_page)
            )
        else:
            chunks = self._flat(measure, blocks, title)
        return self._fitted(measure, chunks)

    def _section(self, measure: Measure, section: Section, title: str, row: str | None) -> Iterator[Chunk]:
        """A section's chunks; `row` is the first row of the table that the text begins within, if it does."""
        measure.check()
        first = header(self._tokens, title, section.outer_path, self._header_room)
        later = header(self._tokens, title, section.path, self._header_room)
        budget = self._budget(max(self._size(first), self._size(later)))
        overlap = self._overlap(budget)
        budget -= overlap
        lead = sum(measure.size(block.start, block.end) for block in section.headings)
        inner = budget - lead if section.body and lead * 2 <= budget else budget
        parts: list[Span] = []
        for block in (*section.headings, *section.body):
            room = budget if block.kind == "heading" else inner
            found = list(pieces(measure, (block.start, block.end), room, self._boundaries(block)))
            parts += _with_names(measure, found, room) if block.kind == "table" else found
        if section.headings and section.body and lead * 2 <= budget:
            joined = len([part for part in parts if part[1] <= section.headings[-1].end])
            parts = [(parts[0][0], parts[joined][1]), *parts[joined + 1 :]]
        spans = overlapping(measure, packed(measure, parts, budget), overlap)
        row_room = min(self._header_room, max(budget, AUTO_TOKENS))
        yield from self._headed(measure, section, spans, (first, later), row_room, row)

    def _headed(
        self,
        measure: Measure,
        section: Section,
        spans: Sequence[Span],
        above: tuple[str, str],
        room: int,
        row: str | None,
    ) -> Iterator[Chunk]:
        """Chunks with their headers, of the first and of the later; within a table they repeat its first row.

        A row with which a header takes more tokens than `room`, about those of a chunk at most, is not repeated.
        """
        starts = [block.start for block in section.body]
        in_table, repeated = -1, ""
        for number, (start, end) in enumerate(spans):
            block = section.body[max(0, bisect_right(starts, start) - 1)] if section.body else section.headings[-1]
            words = above[min(number, 1)]
            if block.kind == "table" and self._chunking.strategy == "auto":
                if block.start != in_table:
                    in_table, top = block.start, row if block.start == 0 else None
                    goes_on = top is not None
                    top = _first_row(measure.text, block, most_chars(room)) if top is None else top
                    repeated = with_row(self._tokens, above[1], top, room)
                words = repeated if goes_on or (number and start > block.start) else words
            yield Chunk(start, end, block.page, section.path, words)

    def _flat(self, measure: Measure, blocks: Sequence[Block], title: str) -> Iterator[Chunk]:
        """The strategies that look at the text alone; where a chunk stands is told by the block it begins in."""
        above = header(self._tokens, title, (), self._header_room)
        budget = self._budget(self._size(above))
        overlap = self._overlap(budget)
        whole = (0, len(measure.text))
        if self._chunking.strategy == "fixed":
            spans = list(windows(measure, whole, budget - overlap))
        else:
            order: tuple[Boundary, ...] = (
                ("sentence", "line", "word") if self._chunking.strategy == "sentence" else _RECURSIVE
            )
            spans = packed(measure, list(self._smallest(measure, whole, budget - overlap, order)), budget - overlap)
        starts = [block.start for block in blocks]
        for start, end in overlapping(measure, spans, overlap):
            block = blocks[max(0, bisect_right(starts, start) - 1)]
            yield Chunk(start, end, block.page, block.heading_path, above)

    def _smallest(self, measure: Measure, whole: Span, budget: int, order: tuple[Boundary, ...]) -> Iterator[Span]:
        """Pieces at the first boundary even where the whole would fit, so that packing has something to choose."""
        for part in parted(measure.text, whole, order[0]):
            yield from pieces(measure, part, budget, order[1:])

    def _boundaries(self, block: Block) -> tuple[Boundary, ...]:
        return _BOUNDARIES[block.kind] if self._chunking.strategy == "auto" else _RECURSIVE

    def _budget(self, header_size: int) -> int:
        wanted = self._chunking.max_tokens or (AUTO_TOKENS if self._chunking.strategy == "auto" else self._room)
        return max(2, min(wanted, self._room - header_size))

    def _overlap(self, budget: int) -> int:
        return min(self._chunking.overlap, budget // 2)

    def _size(self, text: str) -> int:
        return self._tokens.lengths([text])[0] - self._tokens.special

    def _fitted(self, measure: Measure, chunks: Iterable[Chunk]) -> list[Chunk]:
        """The same chunks, none above the model's limit and none beginning before the one ahead of it begins.

        Halving one can make its second half begin behind the overlap of the next; that is shortened, and since a
        shortened word can be more tokens than the whole, fitted once more.
        """
        fitted: list[Chunk] = []
        for chunk in self._bounded(measure, chunks):
            floor = fitted[-1].start if fitted else 0
            shortened = [replace(chunk, start=floor)] if chunk.start < floor else []
            fitted += self._bounded(measure, shortened) if shortened else [chunk]
        return fitted

    def _bounded(self, measure: Measure, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The same chunks; one that the model would read short after all (a cut word, say) is halved."""
        rest = iter(chunks)
        while some := list(islice(rest, AT_ONCE)):
            measure.check()
            sizes = self._tokens.lengths([embedded(chunk, measure.text) for chunk in some])
            for chunk, size in zip(some, sizes, strict=True):
                if size <= self._max_input or chunk.end - chunk.start <= 1:
                    yield chunk
                else:
                    yield from self._bounded(measure, self._halves(measure, chunk))

    def _halves(self, measure: Measure, chunk: Chunk) -> list[Chunk]:
        budget = max(1, measure.size(chunk.start, chunk.end) // 2)
        halves = list(windows(measure, (chunk.start, chunk.end), budget))
        if len(halves) < 2:
            middle = (chunk.start + chunk.end) // 2
            halves = [(chunk.start, middle), (middle, chunk.end)]
        return [replace(chunk, start=start, end=end) for start, end in halves]


def _with_names(measure: Measure, parts: list[Span], room: int) -> list[Span]:
    """A table's parts, its first row, the rule below that and the row that they name in one, where `room` holds it: a
    row of column names alone says nothing."""
    named = next((at for at, (start, end) in enumerate(parts[1:3], 1) if measure.text[start:end].strip("-|")), 0)
    if named and measure.size(parts[0][0], parts[named][1]) <= room:
        return [(parts[0][0], parts[named][1]), *parts[named + 1 :]]
    return parts


def _first_row(text: str, block: Block, most: int) -> str:
    """A table's first row; empty if it has more than `most` characters."""
    end = text.find("\n", block.start, min(block.end, block.start + most + 1))
    if end < 0:
        end = block.end if block.end - block.start <= most else block.start
    return text[block.start : end]


def embedded(chunk: Chunk, text: str) -> str:
    """What the model reads for a chunk: its header, then its text."""
    body = text[chunk.start : chunk.end]
    return f"{chunk.header}\n{body}" if chunk.header else body
