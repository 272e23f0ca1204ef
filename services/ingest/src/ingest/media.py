"""What kind of document some bytes are: by their content where that tells, else by name and declared type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from ingest.errors import UnsupportedDocument
from ingest.parsing.formats import DOCX, HTML, MARKDOWN, PDF, SUPPORTED, TEXT

HEAD = 64 * 1024
_BY_EXTENSION = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".mdown": MARKDOWN,
    ".txt": TEXT,
    ".text": TEXT,
    ".log": TEXT,
}
_BY_DECLARATION = {
    PDF: PDF,
    DOCX: DOCX,
    HTML: HTML,
    "application/xhtml+xml": HTML,
    MARKDOWN: MARKDOWN,
    "text/x-markdown": MARKDOWN,
    TEXT: TEXT,
}
_BINARY_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"{\\rtf": "a rich text file",
}
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKS_WITH_NULS = (b"\xff\xfe", b"\xfe\xff")
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body")


@dataclass(frozen=True, slots=True)
class Received:
    """What is known of an upload once it has come in."""

    head: bytes
    """The first 64 KiB."""
    tail: bytes
    """The last 64 KiB."""
    has_nul: bool
    filename: str
    declared: str
    """The Content-Type that the caller gave, without parameters."""


def media_type(received: Received) -> str:
    """One of the supported types; raises `UnsupportedDocument`."""
    head, extension = received.head, PurePosixPath(received.filename.lower()).suffix
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith((_ZIP, _OLE)):
        return _office(received, extension)
    for magic, what in _BINARY_MAGIC.items():
        if head.startswith(magic):
            raise _unsupported(f"This is {what}, not a document with text.")
    named = _BY_EXTENSION.get(extension) or _BY_DECLARATION.get(received.declared)
    if named in (PDF, DOCX):
        return named  # whatever it is, it claims to be one: the parser says what is wrong with it
    return _text(received, extension, named)


def _text(received: Received, extension: str, named: str | None) -> str:
    head = received.head
    if received.has_nul and not head.startswith(_MARKS_WITH_NULS):
        raise _unsupported("This is a binary file: it holds NUL bytes, which text does not.")
    if _looks_like_html(head):
        return HTML
    if named is None and not extension and not received.declared.startswith(("image/", "audio/", "video/")):
        named = TEXT
    if named is None:
        raise _unsupported(f"Files of type '{extension or received.declared}' can't be read.")
    return named


def _office(received: Received, extension: str) -> str:
    if received.head.startswith(_OLE):
        if extension == ".docx":
            return DOCX  # a DOCX with a password is such a file; the parser says so
        raise _unsupported("This is an old binary Office file. Save it as DOCX or PDF first.")
    if extension == ".docx" or b"word/document.xml" in received.head or b"word/document.xml" in received.tail:
        return DOCX
    raise _unsupported("This is a ZIP archive but not a DOCX document.")


def _looks_like_html(head: bytes) -> bool:
    start = head[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    while start.startswith((b"<?xml", b"<!--")):
        end = start.find(b"?>" if start.startswith(b"<?xml") else b"-->")
        if end < 0:
            return False
        start = start[end + 2 :].lstrip(b"> \t\r\n")
    return start.startswith(_HTML_STARTS)


def _unsupported(why: str) -> UnsupportedDocument:
    return UnsupportedDocument(why, SUPPORTED.values())
