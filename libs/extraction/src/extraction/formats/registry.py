"""The formats that can be read, and the parser of each, imported only when it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path

from contracts.formats import (
    CODE,
    CSV,
    DOCX,
    EML,
    EPUB,
    HTML,
    JSON,
    JSONL,
    MARKDOWN,
    PDF,
    PPTX,
    TEXT,
    TSV,
    XLSX,
    ZIP,
)
from extraction.model.document import START, Extracted, Resume
from extraction.model.failures import ParseFailed, no_text, too_large
from extraction.model.limits import Limits
from extraction.model.parts import joined, split

SUPPORTED = {
    PDF: "PDF",
    DOCX: "DOCX",
    PPTX: "PPTX",
    XLSX: "XLSX",
    EPUB: "EPUB",
    EML: "EML",
    HTML: "HTML",
    MARKDOWN: "Markdown",
    TEXT: "plain text",
    CSV: "CSV",
    TSV: "TSV",
    JSON: "JSON",
    JSONL: "JSON lines",
    CODE: "source code",
    ZIP: "ZIP of these",
}
_FROM_FILES = {
    DOCX: "office.docx",
    PPTX: "office.pptx",
    XLSX: "office.xlsx",
    EPUB: "text.epub",
    EML: "containers.message",
    ZIP: "containers.archive",
}
"""Modules with `parse(path, limits)`."""
_FROM_TEXT = {
    HTML: "text.html",
    MARKDOWN: "text.markdown",
    TEXT: "text.plain",
    CODE: "text.code",
    CSV: "text.delimited",
    TSV: "text.delimited",
    JSON: "text.records",
    JSONL: "text.records",
}
"""Modules with `parse(text)`."""
SURELY = 2
"""Of a file without markup less than half is white space that a parser leaves out."""


def parts(path: Path, media_type: str, limits: Limits, resume: Resume = START) -> Iterator[Extracted]:
    """A file's text and structure, part by part, from where `resume` says; raises `ParseFailed`, also between parts."""
    length, found = resume.chars, resume.chars > 0
    for part in _parts(path, media_type, limits, resume):
        length += len(part.text)
        if length > limits.max_text_chars:
            raise too_large()
        found = found or bool(part.text.strip())
        yield part
    if not found:
        raise no_text()


def extract(path: Path, media_type: str, limits: Limits) -> Extracted:
    """The text and structure of a whole file; raises `ParseFailed`."""
    return joined(parts(path, media_type, limits))


def _parts(path: Path, media_type: str, limits: Limits, resume: Resume) -> Iterator[Extracted]:
    if media_type == PDF:
        from extraction.pdf import parser as pdf

        return pdf.parts(path, limits, resume)
    return islice(split(_parse(path, media_type, limits)), resume.parts, None)


def _parse(path: Path, media_type: str, limits: Limits) -> Extracted:
    document: Extracted
    if media_type in _FROM_FILES:
        document = import_module(f"extraction.{_FROM_FILES[media_type]}").parse(path, limits)
    elif media_type in _FROM_TEXT:
        from extraction.text import charsets as decoding

        text = decoding.decode(path.read_bytes(), html=media_type == HTML)
        if media_type != HTML and len(text) > SURELY * limits.max_text_chars:
            raise too_large()  # before minutes are spent on it
        document = import_module(f"extraction.{_FROM_TEXT[media_type]}").parse(text)
    else:
        raise ParseFailed("unsupported", f"Documents of type {media_type} can't be read.")
    return document
