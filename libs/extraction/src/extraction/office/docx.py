"""DOCX: headings, paragraphs, lists with their numbers, tables, text boxes and notes in the order of the document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from extraction.model.document import Builder, Extracted
from extraction.model.limits import Limits
from extraction.model.parser import whole_file
from extraction.office.drawings import ALTERNATIVES, graphics
from extraction.office.equations import M, linear
from extraction.office.list_numbers import Numbering
from extraction.office.ooxml import Package, package
from extraction.office.styles import Styles, W, value

KIND = "DOCX document"
MAX_NESTING = 12
"""Text boxes and tables within each other."""
_UNSEEN = frozenset(
    f"{W}{name}" for name in ("del", "moveFrom", "pPr", "rPr", "tblPr", "instrText", "delText", "sdtPr", "rt")
)
_CHARACTERS = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}
_TEXT = (f"{W}t", f"{M}t")
_NOTES = {f"{W}footnoteReference": "footnotes", f"{W}endnoteReference": "endnotes"}


def parse(path: Path, _limits: Limits) -> Extracted:
    """The body of the document; its core properties name its title. Deleted text, headers and footers are left out."""
    with package(path, KIND) as document:
        part = document.main()
        body = document.root(part).find(f"{W}body")
        if body is None:
            raise KeyError("body")
        reader = _Reader(document, part, Styles.of(document, part), Numbering.of(document, part))
        reader.content(body, 0)
        return reader.builder.finish(document.title())


read = whole_file(parse)


@dataclass
class _Paragraph:
    """A paragraph's text, and what hangs on it: text boxes, and the notes that it refers to."""

    pieces: list[str] = field(default_factory=list)
    boxes: list[etree._Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Kind and id."""

    def read(self, element: Iterable[etree._Element]) -> None:
        """Add what stands within an element."""
        for child in element:
            if child.tag in _TEXT:
                self.pieces.append(child.text or "")
            elif child.tag in _CHARACTERS:
                self.pieces.append(_CHARACTERS[child.tag])
            elif child.tag == f"{M}oMath":
                self.pieces.append(linear(child))
            elif child.tag == f"{W}txbxContent":
                self.boxes.append(child)
            elif child.tag in _NOTES:
                self.notes.append((_NOTES[child.tag], child.get(f"{W}id", "")))
            elif child.tag == f"{ALTERNATIVES}AlternateContent":
                self.read(_chosen(child))
            elif child.tag not in _UNSEEN:
                self.read(child)

    @property
    def text(self) -> str:
        """The words alone."""
        return "".join(self.pieces).strip()


@dataclass
class _Reader:
    document: Package
    part: str
    styles: Styles
    numbering: Numbering
    builder: Builder = field(default_factory=Builder)
    items: list[str] = field(default_factory=list)
    """Of the list that is being read."""
    notes: dict[str, dict[str, etree._Element]] = field(default_factory=dict)

    def content(self, element: etree._Element, depth: int) -> None:
        """Everything that a body, a cell or a text box holds."""
        for block in _blocks(element):
            if block.tag == f"{W}p":
                self.paragraph(block, depth)
            else:
                self.end_list()
                self.table(block, depth)
        self.end_list()

    def end_list(self) -> None:
        """What comes next is no item."""
        self.builder.block("list", "\n".join(self.items))
        self.items.clear()

    def paragraph(self, element: etree._Element, depth: int) -> None:
        """A heading, an item or a plain paragraph, then what hangs on it."""
        read = _Paragraph()
        read.read(element)
        style = self.styles.style(element)
        if read.text:
            mark = self.numbering.mark(element, style)
            if style.level:
                self.end_list()
                self.builder.heading(f"{mark.label} {read.text}" if mark and mark.counted else read.text, style.level)
            elif mark is not None or style.listed:
                self.items.append("  " * (mark.depth if mark else 0) + f"{mark.label if mark else '-'} {read.text}")
            else:
                self.end_list()
                self.builder.block("paragraph", read.text)
        if read.boxes or read.notes:
            self.end_list()
            self.hanging(read, depth)
        graphics(self.builder, self.document, self.part, element)

    def hanging(self, read: _Paragraph, depth: int) -> None:
        """Text boxes and notes of a paragraph, behind it."""
        for box in read.boxes if depth < MAX_NESTING else ():
            self.content(box, depth + 1)
        for kind, note in read.notes:
            if kind not in self.notes:
                self.notes[kind] = self.notes_of(kind)
            if note in self.notes[kind] and depth < MAX_NESTING:
                self.content(self.notes[kind].pop(note), depth + 1)

    def notes_of(self, kind: str) -> dict[str, etree._Element]:
        """The document's footnotes or endnotes by id."""
        name = self.document.related(self.part, kind)
        return {note.get(f"{W}id", ""): note for note in self.document.root(name)} if name else {}

    def table(self, table: etree._Element, depth: int) -> None:
        """A table's rows; a frame around other content, as what it holds."""
        rows = [list(_within(row, "tc")) for row in _within(table, "tr")]
        if sum(map(len, rows)) == 1 and depth < MAX_NESTING:
            self.content(rows[0][0] if rows[0] else rows[-1][0], depth + 1)
            return
        above: dict[int, str] = {}
        read = ([self.merged(cell, above, column, depth) for column, cell in _placed(row)] for row in rows)
        self.builder.rows(read, header=next(table.iterfind(f"{W}tr[1]/{W}trPr/{W}tblHeader"), None) is not None)

    def merged(self, cell: etree._Element, above: dict[int, str], column: int, depth: int) -> str:
        """A cell's text; of one that goes on from the row above, that one's, so that each row can be read alone."""
        merge = cell.find(f"{W}tcPr/{W}vMerge")
        if merge is None or merge.get(f"{W}val") == "restart":
            above[column] = self.cell(cell, depth)
        return above.get(column, "")

    def cell(self, cell: etree._Element, depth: int) -> str:
        """All of a cell on one line; a table in it by commas."""
        parts: list[str] = []
        for block in _blocks(cell) if depth < MAX_NESTING else ():
            if block.tag == f"{W}tbl":
                rows = (_within(row, "tc") for row in _within(block, "tr"))
                parts += [", ".join(self.cell(inner, depth + 1) for inner in row) for row in rows]
                continue
            read = _Paragraph()
            read.read(block)
            parts.append(read.text)
            parts += [self.cell(box, depth + 1) for box in read.boxes]
        return " ".join(part for part in parts if part)


def _placed(row: list[etree._Element]) -> Iterator[tuple[int, etree._Element]]:
    """The cells of a row with the grid columns in which they begin."""
    column = 0
    for cell in row:
        yield column, cell
        span = value(cell, "tcPr", "gridSpan") or "1"
        column += int(span) if span.isdigit() else 1


def _blocks(element: etree._Element) -> Iterator[etree._Element]:
    """Paragraphs and tables, also those within content controls, insertions and the like."""
    return _found(element, frozenset((f"{W}p", f"{W}tbl")), 0)


def _within(element: etree._Element, name: str) -> Iterator[etree._Element]:
    return _found(element, frozenset((f"{W}{name}",)), 0)


def _found(element: Iterable[etree._Element], tags: frozenset[str], depth: int) -> Iterator[etree._Element]:
    for child in element:
        if child.tag in tags:
            yield child
        elif child.tag == f"{ALTERNATIVES}AlternateContent":
            yield from _found(_chosen(child), tags, depth + 1)
        elif child.tag not in _UNSEEN and depth < MAX_NESTING:
            yield from _found(child, tags, depth + 1)


def _chosen(alternatives: etree._Element) -> Iterable[etree._Element]:
    """The first alternative that says something; the others say the same in older words."""
    return next((one for one in alternatives if next(one.iter(*_TEXT), None) is not None), ())
