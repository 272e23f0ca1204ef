"""The formats that can be read, and the parser of each, imported only when it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ingest.parsing.failures import ParseFailed, no_text, too_large
from ingest.parsing.structure import Extracted

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
SUPPORTED = {PDF: "PDF", DOCX: "DOCX", HTML: "HTML", MARKDOWN: "Markdown", TEXT: "plain text"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost."""

    max_pages: int
    max_text_chars: int


def extract(path: Path, media_type: str, limits: Limits) -> Extracted:
    """The text and structure of a file; raises `ParseFailed`."""
    extracted = _parse(path, media_type, limits)
    if len(extracted.text) > limits.max_text_chars:
        raise too_large()
    if not extracted.text.strip():
        raise no_text()
    return extracted


def _parse(path: Path, media_type: str, limits: Limits) -> Extracted:
    if media_type == PDF:
        from ingest.parsing import pdf

        return pdf.parse(path, limits)
    if media_type == DOCX:
        from ingest.parsing import docx

        return docx.parse(path, limits)
    from ingest.parsing import decoding

    text = decoding.decode(path.read_bytes(), html=media_type == HTML)
    if media_type == HTML:
        from ingest.parsing import html

        return html.parse(text)
    if media_type == MARKDOWN:
        from ingest.parsing import markdown

        return markdown.parse(text)
    if media_type == TEXT:
        from ingest.parsing import plain

        return plain.parse(text)
    raise ParseFailed("unsupported", f"Documents of type {media_type} can't be read.")
