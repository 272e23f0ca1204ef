"""PDF: text page by page in reading order, cells of a table row on one line, wrapped prose joined to paragraphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pypdfium2
from pypdfium2 import raw

from extraction.model.document import START, Builder, Extracted, Resume
from extraction.model.failures import ParseFailed, encrypted, malformed, too_large, too_many_pages
from extraction.model.limits import Limits
from extraction.pdf.furniture import without_furniture
from extraction.pdf.heading_sizes import HeadingSizes
from extraction.pdf.hyphens import Hyphens
from extraction.pdf.layout import Piece, paragraphs
from extraction.pdf.lines import HYPHEN
from extraction.pdf.pages import Page, Pages

_NO_TITLE = ("untitled", "microsoft word", "powerpoint", "(anonymous)", "(unspecified)", "unknown")


PART_PAGES = 64
"""Most pages of one part: enough to tell running headers and headings from the rest."""


def read(path: Path, limits: Limits, resume: Resume = START) -> Iterator[Extracted]:
    """The text of all pages, some at a time. A page that can't be read fails the whole: nobody would miss it.

    Each part's `state["unread_pages"]` are the numbers, from 1, of the scanned pages so far that hold no text because
    recognition is not installed.
    """
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise unopened(error) from None
    try:
        pages, title, state = len(document), _title(document), resume.state
        if pages > limits.max_pages:
            raise too_many_pages(pages, limits.max_pages)
        source = Pages(document)
        size = -(-pages // -(-pages // PART_PAGES)) if pages else 1
        for first in range(resume.pages, pages, size):
            read = _read(source, range(first, min(first + size, pages)), limits)
            part = _built(read, first + 1, state)
            state = part.state
            last = first + len(read)
            yield replace(part, title=title or part.title, pages=pages, last_page=last, done=last / pages)
    except pypdfium2.PdfiumError:
        raise malformed("PDF") from None
    finally:
        document.close()


def _read(source: Pages, numbers: range, limits: Limits) -> list[Page]:
    """Those pages; raises `too_large` as soon as there is too much text."""
    pages: list[Page] = []
    length = 0
    for number in numbers:
        pages.append(source.read(number))
        length += pages[-1].chars
        if length > limits.max_text_chars:
            raise too_large()
    return pages


def _built(pages: Sequence[Page], first: int, state: Mapping[str, Any]) -> Extracted:
    """A part that begins with page `first`, under the headings that `state` says are open."""
    pieces = _whole([list(paragraphs(lines)) for lines in without_furniture([page.lines for page in pages])])
    sizes = HeadingSizes(chain.from_iterable(pieces), state.get("sizes", ()))
    builder = Builder([(level, text) for level, text in state.get("headings", ())])
    for number, (page, found) in enumerate(zip(pages, pieces, strict=True), first):
        for piece in found:
            level = sizes.level(piece)
            if level:
                builder.heading(piece.text, level, number)
            else:
                builder.block(piece.kind, piece.text, number)
        builder.block("list", "\n".join(page.entries), number)
    unread = [*state.get("unread_pages", ()), *(number for number, page in enumerate(pages, first) if page.unread)]
    headings = [list(heading) for heading in builder.headings]
    return replace(builder.finish(), state={"sizes": list(sizes.known), "headings": headings, "unread_pages": unread})


def _whole(pages: list[list[Piece]]) -> list[list[Piece]]:
    """The pieces with the words that were parted at the ends of their lines."""
    if not any(HYPHEN in piece.text for page in pages for piece in page):
        return pages
    hyphens = Hyphens(piece.text for page in pages for piece in page)
    return [
        [replace(piece, text=hyphens.resolved(piece.text)) if HYPHEN in piece.text else piece for piece in page]
        for page in pages
    ]


def unopened(error: pypdfium2.PdfiumError) -> ParseFailed:
    """Why a file can't be opened."""
    needs_password = getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
    return encrypted("PDF") if needs_password or "password" in str(error).lower() else malformed("PDF")


def _title(document: pypdfium2.PdfDocument) -> str | None:
    """The title in the metadata, unless it is what programs write there by themselves."""
    title = document.get_metadata_value("Title").strip()
    usual = title.lower().startswith(_NO_TITLE) or title.lower().endswith((".doc", ".docx", ".pdf", ".indd", ".tex"))
    return title if len(title) > 2 and not usual else None
