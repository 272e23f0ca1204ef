"""Cutting a document into chunks: exact slices of its text, in order, that the embedding model reads whole."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from contracts.collections import Chunking
from ingest.chunking.headers import SHARE, header
from ingest.chunking.packing import overlapping, packed
from ingest.chunking.sections import Section, complete, sections
from ingest.chunking.splitting import Boundary, Span, parted, pieces, windows
from ingest.chunking.tokens import Measure, Tokens
from ingest.parsing.structure import Block, BlockKind, Extracted

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
    """Of a restored document: what the retriever gave out for it, sealed."""


class Cutter:
    """Cuts documents for one collection."""

    def __init__(self, tokens: Tokens, chunking: Chunking, max_input_tokens: int) -> None:
        self._tokens = tokens
        self._chunking = chunking
        self._max_input = max_input_tokens
        self._room = max(4, max_input_tokens - tokens.special - JOINT_TOKENS)
        self._header_room = self._room // SHARE

    def cut(self, document: Extracted, title: str) -> list[Chunk]:
        """The chunks in order. They cover all text that is not white space, and none is above the model's limit."""
        measure = Measure(document.text, self._tokens)
        blocks = complete(document.blocks, document.text)
        if self._chunking.strategy in ("auto", "markdown"):
            by_page = self._chunking.strategy == "auto"
            chunks: Iterator[Chunk] = chain.from_iterable(
                self._section(measure, section, title) for section in sections(blocks, by_page=by_page)
            )
        else:
            chunks = self._flat(measure, blocks, title)
        return self._fitted(measure, list(chunks))

    def _section(self, measure: Measure, section: Section, title: str) -> Iterator[Chunk]:
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
            parts += pieces(measure, (block.start, block.end), room, self._boundaries(block))
        if section.headings and section.body and lead * 2 <= budget:
            joined = len([part for part in parts if part[1] <= section.headings[-1].end])
            parts = [(parts[0][0], parts[joined][1]), *parts[joined + 1 :]]
        spans = overlapping(measure, packed(measure, parts, budget), overlap)
        starts = [block.start for block in section.body]
        for number, (start, end) in enumerate(spans):
            block = section.body[max(0, bisect_right(starts, start) - 1)] if section.body else section.headings[-1]
            above = first if number == 0 else self._later(measure, section, title, block, start, later)
            yield Chunk(start, end, block.page, section.path, above)

    def _later(self, measure: Measure, section: Section, title: str, block: Block, start: int, later: str) -> str:
        """The header of a section's later chunks: within a table it repeats the table's first row."""
        if block.kind != "table" or start <= block.start or self._chunking.strategy != "auto":
            return later
        row = measure.text[block.start : block.end].partition("\n")[0]
        return header(self._tokens, title, section.path, self._header_room, row)

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

    def _fitted(self, measure: Measure, chunks: list[Chunk]) -> list[Chunk]:
        """The same chunks, none above the model's limit and none beginning before the one ahead of it begins.

        Halving one can make its second half begin behind the overlap of the next, and a shortened word can be more
        tokens than the whole: hence until nothing changes. Each round makes some chunk shorter.
        """
        while True:
            ordered: list[Chunk] = []
            for chunk in self._bounded(measure, chunks):
                floor = ordered[-1].start if ordered else 0
                ordered.append(replace(chunk, start=floor) if chunk.start < floor else chunk)
            if ordered == chunks:
                return chunks
            chunks = ordered

    def _bounded(self, measure: Measure, chunks: Sequence[Chunk]) -> Iterator[Chunk]:
        """The same chunks; one that the model would read short after all (a cut word, say) is halved."""
        sizes = self._tokens.lengths([embedded(chunk, measure.text) for chunk in chunks])
        for chunk, size in zip(chunks, sizes, strict=True):
            if size <= self._max_input or chunk.end - chunk.start <= 1:
                yield chunk
                continue
            budget = max(1, measure.size(chunk.start, chunk.end) // 2)
            halves = list(windows(measure, (chunk.start, chunk.end), budget))
            if len(halves) < 2:
                middle = (chunk.start + chunk.end) // 2
                halves = [(chunk.start, middle), (middle, chunk.end)]
            yield from self._bounded(
                measure, [Chunk(start, end, chunk.page, chunk.heading_path, chunk.header) for start, end in halves]
            )


def embedded(chunk: Chunk, text: str) -> str:
    """What the model reads for a chunk: its header, then its text."""
    body = text[chunk.start : chunk.end]
    return f"{chunk.header}\n{body}" if chunk.header else body
