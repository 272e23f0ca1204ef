"""One extracted text with its structure as character spans; what every parser builds and chunking reads.

Standard library only: the parsing child must start fast.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

BlockKind = Literal["heading", "paragraph", "list", "table", "code"]
PART_JOINT = "\n\n"
"""Stands between two blocks, and so between two parts."""
MAX_HEADING = 200
MAX_DEPTH = 8
MAX_NAME = 60
"""Characters of a column's name."""
_VALUE = re.compile(r"[\W_]*\d|.*[.!;]$")
"""How figures begin and sentences end; column names do neither."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_NEWLINES = re.compile(r"\r\n?|[\u0085\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_TRAILING = re.compile(r"(?<![ \t\u00a0])[ \t\u00a0]+(?=\n|$)")  # only from a run's first blank, or it is quadratic


def clean(text: str) -> str:
    r"""NFC, `\n` as the only line break, no control characters, no blanks before a line break.

    The one place where Unicode is normalised. Pieces that are cleaned and then joined by `\n` are clean as a whole.
    """
    if text.replace("\n", "").isprintable():  # then nothing of what is looked for below is in it
        if " \n" in text or text.endswith(" "):
            text = _TRAILING.sub("", text)
    else:
        text = _SURROGATES.sub("\ufffd", _NEWLINES.sub("\n", text))
        text = _TRAILING.sub("", _CONTROL.sub("", text))
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, list, table or piece of code: the characters `start..end` of the text."""

    kind: BlockKind
    start: int
    end: int
    page: int | None = None
    level: int = 0
    """Of a heading, from 1."""
    heading_path: tuple[str, ...] = ()
    """The headings that the block stands under; a heading's own text is the last of its path."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Where reading a document goes on: behind its first `parts` parts."""

    parts: int = 0
    pages: int = 0
    """Pages that those parts hold."""
    chars: int = 0
    """Characters that those parts hold."""
    state: Mapping[str, Any] = field(default_factory=dict)
    """What the last of them left for the next."""

    def after(self, part: Extracted) -> Resume:
        """Where it goes on once this part, the next, has been read, too."""
        joint = len(PART_JOINT) if self.chars and part.text else 0
        return Resume(self.parts + 1, part.last_page or 0, self.chars + joint + len(part.text), part.state)


START = Resume()
"""Where reading a document begins."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document's text, its blocks in order, its own title if it names one, and its pages if it has any.

    Of a long document, one part: a run of whole blocks. The document's text is its parts' texts joined by `PART_JOINT`.
    """

    text: str
    blocks: tuple[Block, ...]
    title: str | None = None
    pages: int | None = None
    """Of the whole document."""
    last_page: int | None = None
    """The last page that was read for this."""
    done: float = 1.0
    """How much of the document is read with this, from 0 to 1."""
    state: Mapping[str, Any] = field(default_factory=dict)
    """What the parser needs to know when it goes on after this; plain JSON."""
    row: str | None = None
    """Of a part that begins within a table: that table's first row, empty if it is longer than any header."""

    def to_json(self) -> dict[str, Any]:
        """Everything but the text. Heading paths are kept once each."""
        paths: dict[tuple[str, ...], int] = {}
        rows = [
            [
                block.kind,
                block.start,
                block.end,
                block.page,
                block.level,
                paths.setdefault(block.heading_path, len(paths)),
            ]
            for block in self.blocks
        ]
        facts = {name: getattr(self, name) for name in _FACTS}
        return {**facts, "row": self.row, "paths": [list(path) for path in paths], "blocks": rows}

    @classmethod
    def from_json(cls, text: str, saved: dict[str, Any]) -> Extracted:
        """The reverse of `to_json`."""
        paths = [tuple(path) for path in saved["paths"]]
        blocks = tuple(
            Block(kind, start, end, page, level, paths[path]) for kind, start, end, page, level, path in saved["blocks"]
        )
        facts = {name: saved[name] for name in _FACTS}
        row = saved.get("row")  # what earlier versions kept has none, and what is restored any
        return cls(text, blocks, row=row if isinstance(row, str) else None, **facts)


_FACTS = ("title", "pages", "last_page", "done", "state")


@dataclass
class Builder:
    """Puts an extracted text together block by block, keeping the path of headings."""

    headings: list[tuple[int, str]] = field(default_factory=list)
    """Level and text of the headings that the next block stands under; given, for a part that is not the first."""
    _pieces: list[str] = field(default_factory=list)
    _blocks: list[Block] = field(default_factory=list)
    length: int = 0

    def heading(self, text: str, level: int, page: int | None = None) -> None:
        """A heading; it closes those of its own and deeper levels."""
        text = " ".join(clean(text).split())
        if not text:
            return
        level = max(1, min(level, MAX_DEPTH))
        self.headings = [(depth, title) for depth, title in self.headings if depth < level]
        self.headings.append((level, text[:MAX_HEADING]))
        self._add("heading", text, page, level)

    def block(self, kind: BlockKind, text: str, page: int | None = None) -> None:
        """Any other block; one without text is left out."""
        text = clean(text).strip("\n")
        if text.strip():
            self._add(kind, text, page, 0)

    def rows(self, rows: Iterable[Sequence[str]], page: int | None = None, *, header: bool = False) -> None:
        """A table, one line a row, cells parted by pipes; below a first row that is the `header`, a rule."""
        lines: list[str] = []
        for number, row in enumerate(rows):
            if line := row_line(row):
                lines.append(line)
            if number == 0 and header and len(row) > 1 and line:
                lines.append("|".join("-" * len(row)))
        self.block("table", "\n".join(lines), page)

    def include(self, part: Extracted, level: int = 0) -> None:
        """Another document's blocks, its headings `level` deeper than in itself."""
        for block in part.blocks:
            text = part.text[block.start : block.end]
            if block.kind == "heading":
                self.heading(text, block.level + level, block.page)
            else:
                self.block(block.kind, text, block.page)

    def finish(self, title: str | None = None, pages: int | None = None) -> Extracted:
        """The whole document. Without a title of its own, a first heading of level 1 is the title."""
        title = " ".join(clean(title or "").split()) or None
        if title is None and self._blocks and self._blocks[0].kind == "heading" and self._blocks[0].level == 1:
            title = self._blocks[0].heading_path[-1]
        return Extracted("".join(self._pieces), tuple(self._blocks), title[:500] if title else None, pages)

    def _add(self, kind: BlockKind, text: str, page: int | None, level: int) -> None:
        if self._pieces:
            self._pieces.append(PART_JOINT)
            self.length += len(PART_JOINT)
        path = tuple([title for _, title in self.headings])
        self._blocks.append(Block(kind, self.length, self.length + len(text), page, level, path))
        self._pieces.append(text)
        self.length += len(text)


def is_header(row: Sequence[str]) -> bool:
    """Whether a first row can be column names: each cell is filled, short, different from the others and no figure.

    The corner above the names of the rows may be empty.
    """
    names = [" ".join(cell.split()) for cell in row]
    named = names[1:] if names and not names[0] else names
    short = all(name and len(name) <= MAX_NAME and not _VALUE.match(name) for name in named)
    return len(names) > 1 and short and len({name.casefold() for name in names}) == len(names)


def row_line(cells: Iterable[str]) -> str:
    """A table row on one line; empty if all its cells are."""
    parts = [" ".join(cell.split()) for cell in cells]
    return " | ".join(parts) if any(parts) else ""
