"""Long documents in parts: runs of whole blocks, so that a part can be indexed while the next is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from extraction.model.document import PART_JOINT, Block, Extracted

PART_CHARS = 400_000
"""About 130 pages of prose. What a worker holds of a document at once."""
MAX_ROW = 16_384


def split(document: Extracted, chars: int = PART_CHARS) -> Iterator[Extracted]:
    """A document in parts of at most `chars` characters, or of one block, or row of a table, if that is longer."""
    if len(document.text) <= chars or not document.blocks:
        yield document
        return
    run: list[Block] = []
    row: str | None = None
    for block, first_row in _apart(document, chars):
        if run and block.end - run[0].start > chars:
            yield _part(document, run, row)
            run = []
        row = row if run else first_row
        run.append(block)
    yield _part(document, run, row)


def _apart(document: Extracted, chars: int) -> Iterator[tuple[Block, str | None]]:
    """The blocks, a table of more than `chars` characters in runs of whole rows; and the first row of those behind.

    No two runs of a table fit into one part, so that what is behind its first begins a part.
    """
    for block in document.blocks:
        start, row = block.start, None
        while block.kind == "table" and block.end - start > chars and (end := _rows_end(document.text, start, chars)):
            if end >= block.end:
                break
            yield replace(block, start=start, end=end), row
            row = _first_row(document.text, block) if row is None else row
            start = end + 1
        yield replace(block, start=start), row


def _rows_end(text: str, start: int, chars: int) -> int:
    """Where the rows end of which `chars` characters hold as many as go in whole, or else the first."""
    end = text.rfind("\n", start + 1, start + chars + 1)
    end = end if end > start else text.find("\n", start + 1)
    return end if end > start else len(text)


def _first_row(text: str, table: Block) -> str:
    """A table's first row, or nothing if that is longer than any header."""
    end = text.find("\n", table.start, table.start + MAX_ROW + 1)
    return text[table.start : end] if end > table.start else ""


def joined(parts: Iterable[Extracted]) -> Extracted:
    """The document of which these are all the parts, at least one; its long tables stay apart, as its text has them."""
    texts: list[str] = []
    blocks: list[Block] = []
    first: Extracted | None = None
    for part in parts:
        first = first or part
        if part.text:
            offset = sum(len(text) + len(PART_JOINT) for text in texts)
            blocks += (_moved(block, offset) for block in part.blocks)
            texts.append(part.text)
    if first is None:
        raise ValueError("no parts")
    return Extracted(PART_JOINT.join(texts), tuple(blocks), first.title, first.pages, first.pages)


def _part(document: Extracted, run: list[Block], row: str | None) -> Extracted:
    start, end = run[0].start, run[-1].end
    blocks = tuple(_moved(block, -start) for block in run)
    done = 1.0 if end == document.blocks[-1].end else end / len(document.text)
    text = document.text[start:end]
    return replace(document, text=text, blocks=blocks, last_page=run[-1].page, done=done, row=row)


def _moved(block: Block, by: int) -> Block:
    return replace(block, start=block.start + by, end=block.end + by)
