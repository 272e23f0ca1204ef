"""Long documents in parts: runs of whole blocks, so that a part can be indexed while the next is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ingest.parsing.structure import PART_JOINT, Block, Extracted

PART_CHARS = 400_000
"""About 130 pages of prose. What a worker holds of a document at once."""


def split(document: Extracted, chars: int = PART_CHARS) -> Iterator[Extracted]:
    """A document in parts of at most `chars` characters, or of one block if that is longer."""
    if len(document.text) <= chars or not document.blocks:
        yield document
        return
    run: list[Block] = []
    for block in document.blocks:
        if run and block.end - run[0].start > chars:
            yield _part(document, run)
            run = []
        run.append(block)
    yield _part(document, run)


def joined(parts: Iterable[Extracted]) -> Extracted:
    """The document of which these are all the parts; the reverse of `split`. There must be at least one."""
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


def _part(document: Extracted, run: list[Block]) -> Extracted:
    start, end = run[0].start, run[-1].end
    blocks = tuple(_moved(block, -start) for block in run)
    done = 1.0 if run[-1] is document.blocks[-1] else end / len(document.text)
    return replace(document, text=document.text[start:end], blocks=blocks, last_page=run[-1].page, done=done)


def _moved(block: Block, by: int) -> Block:
    return replace(block, start=block.start + by, end=block.end + by)
