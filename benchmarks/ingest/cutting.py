"""Seconds of processor time to cut a megabyte into chunks, by the text's size and what it is: the curve must be flat.

Usage: make bench-cutting [BYTES=100000000]    (the largest text; also the first part of `make bench-ingest`)

Texts are made and split into parts as ingest does it; only cutting is timed, with the packaged embedding model's tokens
and the default chunking. A text whose megabytes take four times as long at its largest as at its smallest is named.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.ingest.peers import minilm_tokenizer

from contracts.retrieval.collections import Chunking
from extraction.chunking.chunker import Chunker
from extraction.chunking.tokens import Tokens
from extraction.model.document import BlockKind, Builder, Extracted
from extraction.model.parts import split

LARGEST = int(os.environ.get("BYTES", "100000000"))
SMALLEST = 1_000_000
STEPS = 10
"""Each size is so many times the one before."""
STEEP = 4.0
SENTENCE = "The machine is maintained each year by our engineers, and what was replaced is written down. "


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of text: its first line, then the same line again and again, in one block or one block a line."""

    name: str
    kind: BlockKind
    line: str
    first: str = ""
    apart: bool = False

    def text(self, size: int) -> Extracted:
        """About so many characters of it."""
        builder = Builder()
        lines = [self.line] * max(1, (size - len(self.first)) // (len(self.line) + 1))
        if self.apart:
            for line in lines:
                builder.block(self.kind, line)
        else:
            builder.block(self.kind, "\n".join([self.first, *lines]))
        return builder.finish()


def row(cells: int, word: str) -> str:
    """A table's row."""
    return " | ".join(f"{word}{number}" for number in range(cells))


SHAPES = (
    Shape("table, 20 columns", "table", row(20, "value"), row(20, "column ")),
    Shape("CSV, 2,000 columns wide", "table", row(2000, "v"), row(2000, "c")),
    Shape("table, first row of 800 KB", "table", "value1 | x", row(100_000, "c")),
    Shape("prose", "paragraph", SENTENCE * 8, apart=True),
    Shape("prose in one paragraph", "paragraph", SENTENCE * 8),
    Shape("list", "list", "- An item is delivered to the warehouse in the morning"),
    Shape("code", "code", "    return value + offset if value else None", "def function(value: int) -> int:"),
    Shape("no blanks at all", "paragraph", "x" * 999),
)


def main() -> None:
    """Measure and print."""
    for line in curve():
        print(line, flush=True)


def curve() -> Iterator[str]:
    """A line for each shape."""
    cutter = Chunker(Tokens.from_json(minilm_tokenizer()), Chunking(), 256)
    sizes = [size for power in range(6) if (size := SMALLEST * STEPS**power) <= LARGEST] or [LARGEST]
    yield f"{'cutting, seconds a MB':<28}" + "".join(f"{size / 1e6:>10g} MB" for size in sizes)
    for shape in SHAPES:
        took = [seconds_a_megabyte(cutter, shape.text(size)) for size in sizes]
        steep = "  NOT FLAT" if took[-1] > STEEP * took[0] else ""
        yield f"{shape.name:<28}" + "".join(f"{each:>13.2f}" for each in took) + steep


def seconds_a_megabyte(cutter: Chunker, document: Extracted) -> float:
    """Processor time, so that a busy machine changes little."""
    taken = 0.0
    for part in split(document):
        began = time.process_time()
        cutter.cut(part, "A title")
        taken += time.process_time() - began
    return taken / len(document.text) * 1e6


if __name__ == "__main__":
    main()
