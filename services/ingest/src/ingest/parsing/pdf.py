"""PDF: text page by page in reading order, cells of a table row on one line, wrapped prose joined to paragraphs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pypdfium2
from pypdfium2 import raw

from ingest.parsing.failures import ParseFailed, encrypted, malformed, too_large, too_many_pages
from ingest.parsing.formats import Limits
from ingest.parsing.furniture import without_furniture
from ingest.parsing.layout import paragraphs
from ingest.parsing.lines import Line, page_lines
from ingest.parsing.sizes import HeadingSizes
from ingest.parsing.structure import Builder, Extracted

_NO_TITLE = ("untitled", "microsoft word", "powerpoint", "(anonymous)", "(unspecified)", "unknown")


def parse(path: Path, limits: Limits) -> Extracted:
    """The text of all pages. A page that can't be read fails the whole, since a part passed over goes unnoticed."""
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise _unopened(error) from None
    try:
        pages = len(document)
        if pages > limits.max_pages:
            raise too_many_pages(pages, limits.max_pages)
        lines = _lines(document, limits)
        title = _title(document)
    except pypdfium2.PdfiumError:
        raise malformed("PDF") from None
    finally:
        document.close()
    return _built(without_furniture(lines)).finish(title, len(lines))


def _lines(document: pypdfium2.PdfDocument, limits: Limits) -> list[list[Line]]:
    """The lines of each page; raises `too_large` as soon as there is too much text."""
    pages: list[list[Line]] = []
    length = 0
    for number in range(len(document)):
        page = document[number]
        try:
            text_page = page.get_textpage()
            try:
                pages.append(page_lines(text_page))
            finally:
                text_page.close()
        finally:
            page.close()
        length += sum(len(cell) for line in pages[-1] for cell in line.cells)
        if length > limits.max_text_chars:
            raise too_large()
    return pages


def _built(pages: Sequence[Sequence[Line]]) -> Builder:
    pieces = [list(paragraphs(lines)) for lines in pages]
    sizes = HeadingSizes(chain.from_iterable(pieces))
    builder = Builder()
    for number, page in enumerate(pieces, 1):
        for piece in page:
            level = sizes.level(piece)
            if level:
                builder.heading(piece.text, level, number)
            else:
                builder.block(piece.kind, piece.text, number)
    return builder


def _unopened(error: pypdfium2.PdfiumError) -> ParseFailed:
    needs_password = getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
    return encrypted("PDF") if needs_password or "password" in str(error).lower() else malformed("PDF")


def _title(document: pypdfium2.PdfDocument) -> str | None:
    """The title in the metadata, unless it is what programs write there by themselves."""
    title = document.get_metadata_value("Title").strip()
    usual = title.lower().startswith(_NO_TITLE) or title.lower().endswith((".doc", ".docx", ".pdf", ".indd", ".tex"))
    return title if len(title) > 2 and not usual else None
