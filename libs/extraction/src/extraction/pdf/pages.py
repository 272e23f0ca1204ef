"""The pages of a PDF one by one: what is written on each, in its fields, or in a picture of it."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from pypdfium2 import PdfDocument, PdfPage

from extraction.pdf import recognition
from extraction.pdf.forms import Forms
from extraction.pdf.lines import Line, page_lines
from extraction.pdf.scans import STAMP_CHARS, is_scan


class Page(NamedTuple):
    """What one page says."""

    lines: list[Line]
    entries: list[str]
    """Of its form."""
    unread: bool
    """Whether it is a scan that nothing here can read."""

    @property
    def chars(self) -> int:
        """Characters of text, blanks between words counted."""
        return sum(len(cell) for line in self.lines for cell in line.cells) + sum(map(len, self.entries))


class Pages:
    """The pages of one document; made before any of them is opened."""

    def __init__(self, document: PdfDocument) -> None:
        self._document = document
        self._forms = Forms(document)

    def read(self, number: int) -> Page:
        """Page `number`, from 0; raises `PdfiumError` if it is damaged."""
        page = self._document[number]
        try:
            text_page = page.get_textpage()
            try:
                lines = page_lines(text_page)
            finally:
                text_page.close()
            entries = self._forms.entries(page)
            if len(lines) <= STAMP_CHARS and is_scan(page, sum(len(cell) for line in lines for cell in line.cells)):
                return self._scan(page, lines, entries)
            return Page(lines, entries, unread=False)
        finally:
            page.close()

    def _scan(self, page: PdfPage, lines: list[Line], entries: list[str]) -> Page:
        if not recognition.installed():
            return Page(lines, entries, unread=True)
        # What the stamp on it says is recognised with the rest; without anything recognised it is kept.
        return Page(self._recognition.lines(page) or lines, entries, unread=False)

    @cached_property
    def _recognition(self) -> recognition.Recognition:
        return recognition.Recognition()
