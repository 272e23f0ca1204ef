"""DOCX: headings, paragraphs, lists and tables in the order of the document."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from docx import Document
from docx.document import Document as DocumentObject
from docx.opc.exceptions import PackageNotFoundError
from docx.styles.style import BaseStyle, ParagraphStyle
from docx.table import Table, _Cell
from docx.text.paragraph import Paragraph
from lxml import etree

from ingest.parsing.failures import encrypted, malformed, too_large
from ingest.parsing.formats import Limits
from ingest.parsing.structure import Builder, Extracted

_HEADING = re.compile(r"heading ([1-9])", re.I)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
MAX_NESTED_TABLES = 5
MAX_BASED_ON = 10
BYTES_PER_CHAR = 40
"""What XML may take for one character of text at most, before the whole counts as a bomb."""


def parse(path: Path, limits: Limits) -> Extracted:
    """The body of the document; its core properties name its title."""
    _check(path, limits)
    try:
        document = Document(str(path))
        builder = Builder()
        _content(builder, document.iter_inner_content())
        return builder.finish(_title(document))
    except (PackageNotFoundError, KeyError, ValueError, zipfile.BadZipFile, etree.LxmlError, OSError, EOFError):
        raise malformed("DOCX document") from None


def _check(path: Path, limits: Limits) -> None:
    with path.open("rb") as file:
        if file.read(len(OLE)) == OLE:
            raise encrypted("DOCX document") if ENCRYPTED in path.read_bytes() else malformed("DOCX document")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        raise malformed("DOCX document") from None
    if any(entry.flag_bits & 1 for entry in entries):
        raise encrypted("DOCX document")
    xml = sum(entry.file_size for entry in entries if entry.filename.endswith((".xml", ".rels")))
    if xml > limits.max_text_chars * BYTES_PER_CHAR or len(entries) > 20_000:
        raise too_large()


def _content(builder: Builder, content: Iterable[Paragraph | Table]) -> None:
    styles = _Styles()
    items: list[str] = []
    for block in content:
        if isinstance(block, Paragraph) and styles.is_item(block) and block.text.strip():
            items.append(f"- {block.text}")
            continue
        builder.block("list", "\n".join(items))
        items = []
        if isinstance(block, Table):
            builder.rows(_rows(block, 0))
        else:
            _paragraph(builder, block, styles.level(block))
    builder.block("list", "\n".join(items))


def _paragraph(builder: Builder, paragraph: Paragraph, level: int) -> None:
    if level:
        builder.heading(paragraph.text, level)
    else:
        builder.block("paragraph", paragraph.text)


def _rows(table: Table, depth: int) -> Iterator[list[str]]:
    for row in table.rows:
        seen: list[object] = []
        cells: list[str] = []
        for cell in row.cells:
            if any(cell._tc is other for other in seen):  # noqa: SLF001  # a merged cell appears once for each column
                continue
            seen.append(cell._tc)  # noqa: SLF001
            cells.append(_cell(cell, depth))
        yield cells


def _cell(cell: _Cell, depth: int) -> str:
    parts: list[str] = []
    for block in cell.iter_inner_content():
        if isinstance(block, Paragraph):
            parts.append(block.text)
        elif depth < MAX_NESTED_TABLES:
            parts += [", ".join(inner) for inner in _rows(block, depth + 1)]
    return " ".join(parts)


@dataclass(frozen=True, slots=True)
class _Styles:
    """What each paragraph style means. python-docx searches all styles anew for every paragraph; this asks once."""

    known: dict[str | None, tuple[int, bool]] = field(default_factory=dict)

    def level(self, paragraph: Paragraph) -> int:
        """The heading's level; 0 for what is no heading."""
        return self._meaning(paragraph)[0]

    def is_item(self, paragraph: Paragraph) -> bool:
        """Whether the paragraph is an item of a list, by its style or its own numbering."""
        level, listed = self._meaning(paragraph)
        properties = paragraph._p.pPr  # noqa: SLF001  # python-docx has no public name for numbering
        return not level and (listed or (properties is not None and properties.numPr is not None))

    def _meaning(self, paragraph: Paragraph) -> tuple[int, bool]:
        style_id = paragraph._p.style  # noqa: SLF001  # the id alone, without looking the style up
        if style_id not in self.known:
            self.known[style_id] = _meaning(paragraph)
        return self.known[style_id]


def _meaning(paragraph: Paragraph) -> tuple[int, bool]:
    """Level and listing of a paragraph's style, or of the nearest style that it is based on."""
    style: BaseStyle | None = paragraph.style
    own = style.name or "" if style is not None else ""
    listed = own.startswith("List") and own != "List Paragraph"
    for _ in range(MAX_BASED_ON):
        if not isinstance(style, ParagraphStyle):
            break
        name = style.name or ""
        named = _HEADING.fullmatch(name)
        if name == "Title" or named:
            return (int(named[1]) if named else 1), False
        style = style.base_style
    return 0, listed


def _title(document: DocumentObject) -> str | None:
    title = document.core_properties.title
    return title if title and title.strip().lower() not in ("word document", "document", "untitled") else None
