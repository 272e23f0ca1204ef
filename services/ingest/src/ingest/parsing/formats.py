"""The formats that can be read, and the parser of each, imported only when it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ingest.parsing.failures import ParseFailed, no_text, too_large
from ingest.parsing.parts import joined, split
from ingest.parsing.structure import Extracted, Resume

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
SUPPORTED = {PDF: "PDF", DOCX: "DOCX", HTML: "HTML", MARKDOWN: "Markdown", TEXT: "plain text"}
START = Resume()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost."""

    max_pages: int
    max_text_chars: int


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
        from ingest.parsing import pdf

        return pdf.parts(path, limits, resume)
    return islice(split(_parse(path, media_type, limits)), resume.parts, None)


def _parse(path: Path, media_type: str, limits: Limits) -> Extracted:
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
