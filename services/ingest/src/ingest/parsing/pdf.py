"""PDF: text page by page in reading order, cells of a table row on one line, wrapped prose joined to paragraphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pypdfium2
from pypdfium2 import raw

from ingest.parsing.failures import ParseFailed, encrypted, malformed, too_large, too_many_pages
from ingest.parsing.formats import Limits
from ingest.parsing.furniture import without_furniture
from ingest.parsing.layout import paragraphs
from ingest.parsing.lines import Line, page_lines
from ingest.parsing.sizes import HeadingSizes
from ingest.parsing.structure import Builder, Extracted, Resume

_NO_TITLE = ("untitled", "microsoft word", "powerpoint", "(anonymous)", "(unspecified)", "unknown")


PART_PAGES = 64
"""Most pages of one part: enough to tell running headers and headings from the rest."""


def parts(path: Path, limits: Limits, resume: Resume) -> Iterator[Extracted]:
    """The text of all pages, some at a time. A page that can't be read fails the whole: nobody would miss it."""
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise _unopened(error) from None
    try:
        pages, title, state = len(document), _title(document), resume.state
        if pages > limits.max_pages:
            raise too_many_pages(pages, limits.max_pages)
        size = -(-pages // -(-pages // PART_PAGES)) if pages else 1
        for first in range(resume.pages, pages, size):
            lines = _lines(document, range(first, min(first + size, pages)), limits)
            part = _built(without_furniture(lines), first + 1, state)
            state = part.state
            last = first + len(lines)
            yield replace(part, title=title or part.title, pages=pages, last_page=last, done=last / pages)
    except pypdfium2.PdfiumError:
        raise malformed("PDF") from None
    finally:
        document.close()


def _lines(document: pypdfium2.PdfDocument, numbers: range, limits: Limits) -> list[list[Line]]:
    """The lines of each page; raises `too_large` as soon as there is too much text."""
    pages: list[list[Line]] = []
    length = 0
    for number in numbers:
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


def _built(pages: Sequence[Sequence[Line]], first: int, state: Mapping[str, Any]) -> Extracted:
    """A part that begins with page `first`, under the headings that `state` says are open."""
    pieces = [list(paragraphs(lines)) for lines in pages]
    sizes = HeadingSizes(chain.from_iterable(pieces), state.get("sizes", ()))
    builder = Builder([(level, text) for level, text in state.get("headings", ())])
    for number, page in enumerate(pieces, first):
        for piece in page:
            level = sizes.level(piece)
            if level:
                builder.heading(piece.text, level, number)
            else:
                builder.block(piece.kind, piece.text, number)
    left = {"sizes": list(sizes.known), "headings": [list(heading) for heading in builder.headings]}
    return replace(builder.finish(), state=left)


def _unopened(error: pypdfium2.PdfiumError) -> ParseFailed:
    needs_password = getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
    return encrypted("PDF") if needs_password or "password" in str(error).lower() else malformed("PDF")


def _title(document: pypdfium2.PdfDocument) -> str | None:
    """The title in the metadata, unless it is what programs write there by themselves."""
    title = document.get_metadata_value("Title").strip()
    usual = title.lower().startswith(_NO_TITLE) or title.lower().endswith((".doc", ".docx", ".pdf", ".indd", ".tex"))
    return title if len(title) > 2 and not usual else None
