"""A sheet's cells as text: shared strings, number formats, dates, formulas without a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import IO

from lxml import etree

from extraction.office.number_formats import BUILT_IN, EPOCH, EPOCH_1904, GENERAL, shown
from extraction.office.ooxml import Package, transitional

S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
KIND = "XLSX workbook"
MAX_COLUMNS = 16_384
_CELL, _VALUE, _FORMULA, _INLINE = f"{S}c", f"{S}v", f"{S}f", f"{S}is"
_STRICT_S = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"


@dataclass(frozen=True, slots=True)
class Cells:
    """What the cells of a workbook refer to."""

    strings: tuple[str, ...]
    formats: tuple[str, ...]
    """A number format for each cell style."""
    epoch: datetime

    @classmethod
    def of(cls, workbook: Package, main: str, root: etree._Element) -> Cells:
        """Those of a workbook; raises what the package raises."""
        strings, styles = workbook.related(main, "sharedStrings"), workbook.related(main, "styles")
        properties = root.find(f"{S}workbookPr")
        old = properties is not None and properties.get("date1904") in ("1", "true")
        return cls(
            tuple(_text(item) for item in workbook.root(strings).iterfind(f"{S}si")) if strings else (),
            tuple(_formats(workbook.root(styles))) if styles else (),
            EPOCH_1904 if old else EPOCH,
        )

    def text(self, cell: etree._Element) -> str:
        """What a cell shows."""
        kind = cell.get("t", "n")
        stored = formula = ""
        for child in cell:
            if child.tag == _VALUE:
                stored = (child.text or "").strip()
            elif child.tag == _FORMULA:
                formula = child.text or ""
            elif child.tag == _INLINE:
                return _text(child)
        if not stored:
            return f"={formula}" if formula else ""
        if kind == "s":
            index = int(stored)
            return self.strings[index] if 0 <= index < len(self.strings) else ""
        if kind == "b":
            return "TRUE" if stored == "1" else "FALSE"
        if kind == "n":
            style = int(cell.get("s", "0"))
            return shown(stored, self.formats[style] if style < len(self.formats) else GENERAL, self.epoch)
        return stored


def rows(sheet: IO[bytes], cells: Cells) -> Iterator[tuple[int, dict[int, str]]]:
    """Number and cells by column of each row that shows something, without ever holding the sheet as a whole."""
    number = 0
    for row in _elements(sheet):
        given = row.get("r", "")
        number = int(given) if given.isdigit() else number + 1
        shown_cells: dict[int, str] = {}
        column = -1
        for cell in row.iterchildren(_CELL):
            column = _column(cell.get("r", ""), column + 1)
            if column < MAX_COLUMNS and (text := cells.text(cell).strip()):
                shown_cells[column] = text
        if shown_cells:
            yield number, shown_cells


def _elements(sheet: IO[bytes]) -> Iterator[etree._Element]:
    """The `row` elements, each emptied once it has been read; a document type is refused."""
    first = True
    events = etree.iterparse(
        sheet,
        events=("end",),
        tag=(f"{S}row", f"{_STRICT_S}row"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    for _, row in events:
        if first and row.getroottree().docinfo.internalDTD is not None:
            raise ValueError("a document type")
        first = False
        yield etree.fromstring(transitional(etree.tostring(row))) if row.tag == f"{_STRICT_S}row" else row
        row.clear()
        while row.getprevious() is not None:
            del row.getparent()[0]


def _column(reference: str, following: int) -> int:
    return _number_of(reference.rstrip("0123456789"), following) if reference else following


@lru_cache(maxsize=MAX_COLUMNS)
def _number_of(letters: str, following: int) -> int:
    if not letters.isascii() or not letters.isalpha() or len(letters) > 3:
        return following
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _text(item: etree._Element) -> str:
    """A string's runs, without the reading aids of East Asian text."""
    return "".join(
        text.text or ""
        for text in item.iter(f"{S}t")
        if (parent := text.getparent()) is not None and parent.tag != f"{S}rPh"
    )


def _formats(root: etree._Element) -> Iterator[str]:
    own = {one.get("numFmtId"): one.get("formatCode", GENERAL) for one in root.iterfind(f"{S}numFmts/{S}numFmt")}
    for style in root.iterfind(f"{S}cellXfs/{S}xf"):
        identity = style.get("numFmtId", "0")
        yield own.get(identity) or (BUILT_IN.get(int(identity), GENERAL) if identity.isdigit() else GENERAL)
