"""A document's blocks gathered into sections: what stands under the same headings (and on the same page)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from extraction.model.document import Block


@dataclass(frozen=True, slots=True)
class Section:
    """Consecutive blocks: headings that nothing stands between, then their body."""

    headings: tuple[Block, ...]
    body: tuple[Block, ...]

    @property
    def path(self) -> tuple[str, ...]:
        """The headings that the body stands under."""
        return (self.body or self.headings)[-1].heading_path

    @property
    def outer_path(self) -> tuple[str, ...]:
        """The part of the path that the section's own text does not show."""
        own = {block.heading_path for block in self.headings}
        return tuple(name for depth, name in enumerate(self.path, 1) if self.path[:depth] not in own)


def sections(blocks: Sequence[Block], *, by_page: bool) -> Iterator[Section]:
    """The sections in order. With `by_page` none goes across a page, so that a chunk's page is the page it is on."""
    headings: list[Block] = []
    body: list[Block] = []
    for block in blocks:
        if (headings or body) and _parts((body or headings)[-1], block, bool(body), by_page=by_page):
            yield Section(tuple(headings), tuple(body))
            headings, body = [], []
        (headings if block.kind == "heading" else body).append(block)
    if headings or body:
        yield Section(tuple(headings), tuple(body))


def complete(blocks: Sequence[Block], text: str) -> list[Block]:
    """The blocks in order, with a paragraph wherever text stands outside of them all."""
    whole: list[Block] = []
    position = 0
    for block in blocks:
        _fill(whole, text, position, block.start)
        whole.append(block)
        position = max(position, block.end)
    _fill(whole, text, position, len(text))
    return whole


def _fill(whole: list[Block], text: str, start: int, end: int) -> None:
    if start < end and not text[start:end].isspace():
        path, page = (whole[-1].heading_path, whole[-1].page) if whole else ((), None)
        whole.append(Block("paragraph", start, end, page, 0, path))


def _parts(last: Block, block: Block, has_body: bool, *, by_page: bool) -> bool:
    if by_page and block.page != last.page:
        return True
    if block.kind == "heading":
        return has_body or block.level <= last.level
    return has_body and block.heading_path != last.heading_path
