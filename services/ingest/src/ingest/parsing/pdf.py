"""PDF: text page by page in reading order, cells of a table row on one line, wrapped prose joined to paragraphs."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
from pypdfium2 import raw

from ingest.parsing.failures import ParseFailed, encrypted, malformed, too_large, too_many_pages
from ingest.parsing.formats import Limits
from ingest.parsing.layout import paragraphs
from ingest.parsing.lines import page_lines
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
        builder = Builder()
        for number in range(pages):
            _page(builder, document, number)
            if builder.length > limits.max_text_chars:
                raise too_large()
        return builder.finish(_title(document), pages)
    except pypdfium2.PdfiumError:
        raise malformed("PDF") from None
    finally:
        document.close()


def _page(builder: Builder, document: pypdfium2.PdfDocument, number: int) -> None:
    page = document[number]
    try:
        text_page = page.get_textpage()
        try:
            for kind, text in paragraphs(page_lines(text_page)):
                builder.block(kind, text, number + 1)
        finally:
            text_page.close()
    finally:
        page.close()


def _unopened(error: pypdfium2.PdfiumError) -> ParseFailed:
    needs_password = getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
    return encrypted("PDF") if needs_password or "password" in str(error).lower() else malformed("PDF")


def _title(document: pypdfium2.PdfDocument) -> str | None:
    """The title in the metadata, unless it is what programs write there by themselves."""
    title = document.get_metadata_value("Title").strip()
    usual = title.lower().startswith(_NO_TITLE) or title.lower().endswith((".doc", ".docx", ".pdf", ".indd", ".tex"))
    return title if len(title) > 2 and not usual else None
