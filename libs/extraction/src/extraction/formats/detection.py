"""What kind of document some bytes are: by their content where that tells, else by name, else by declared type.

Looks at the first and last 64 KiB only and unpacks nothing, so that it may run outside of the parsing process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from extraction.formats.catalog import CODE, DOCX, EML, FORMATS, HTML, TEXT, ZIP
from extraction.formats.format import Format
from extraction.model.failures import ParseFailed
from extraction.text.charsets import is_wide
from extraction.zips.directory import ZIP_MAGIC, zip_names

HEAD = 64 * 1024
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BINARY = {
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
}
_RICH_TEXT = b"{\\rtf"
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body")
_FIELD = re.compile(rb"([A-Za-z][A-Za-z0-9-]{1,60}):[ \t\r\n]")
_MAIL_FIELDS = frozenset(
    (b"received", b"return-path", b"message-id", b"mime-version", b"delivered-to", b"x-mailer", b"content-type")
)
_WHOM_FIELDS = frozenset((b"from", b"to", b"subject", b"date"))
_IWORK = (".pages", ".numbers", ".key")
_TEXTLESS = """
    png jpg jpeg gif bmp tif tiff webp heic heif avif ico svg psd emf wmf mp3 wav ogg oga flac m4a aac wma mp4 m4v mov
    avi mkv webm wmv mpg mpeg ttf otf woff woff2 eot p7s asc sig
"""
_TEXTLESS_SUFFIXES = frozenset(f".{extension}" for extension in _TEXTLESS.split())
_TEXTLESS_KINDS = ("image/", "audio/", "video/", "font/", "application/pkcs7-signature", "application/pgp-signature")


@dataclass(frozen=True, slots=True)
class Received:
    """What is known of a file without reading it as a whole."""

    head: bytes
    """The first 64 KiB."""
    tail: bytes
    """The last 64 KiB."""
    has_nul: bool
    filename: str
    declared: str
    """The Content-Type that the caller gave, without parameters."""


def detect(received: Received) -> str:
    """One of the supported types; raises `ParseFailed` with the code `unsupported`."""
    head, extension = received.head, _extension(received)
    for each in FORMATS:
        if each.begins(head):
            return each.media_type
    if head.startswith(ZIP_MAGIC):
        return _packed(received, extension)
    if head.startswith(OLE):
        return _old_office(received, extension)
    for magic, what in _BINARY.items():
        if head.startswith(magic):
            raise _unsupported(f"This is {what}, not a document with text.")
    if head.startswith(_RICH_TEXT):
        raise _unsupported("This is a rich text file. Save it as DOCX or PDF first.")
    named = _named(received)
    if named is not None and named.diagnoses:
        return named.media_type  # whatever it is, it claims to be one: the parser says what is wrong with it
    return _text(received, extension, named.media_type if named else None)


def is_textless(received: Received) -> bool:
    """Whether a file is a picture, sound, video, font or signature, and of no format in the catalog."""
    claimed = (FORMATS.by_name(received.filename), FORMATS.get(received.declared))
    catalogued = (each for each in FORMATS if each.media_type.startswith(_TEXTLESS_KINDS))
    if any(each in claimed or each.begins(received.head) for each in catalogued):
        return False
    return (
        _extension(received) in _TEXTLESS_SUFFIXES
        or received.declared.startswith(_TEXTLESS_KINDS)
        or any(received.head.startswith(magic) for magic, what in _BINARY.items() if "image" in what)
    )


def _named(received: Received) -> Format | None:
    """The format that a file's name says, or else its sender."""
    return FORMATS.by_name(received.filename) or FORMATS.get(received.declared)


def _extension(received: Received) -> str:
    return PurePosixPath(received.filename.lower()).suffix


def _text(received: Received, extension: str, named: str | None) -> str:
    head = received.head
    if received.has_nul and not is_wide(head):
        raise _unsupported("This is a binary file: it holds NUL bytes, which text does not.")
    if named in (None, TEXT, HTML) and _looks_like_mail(head):
        return EML
    if named != CODE and _looks_like_html(head):
        return HTML
    if named is None and not extension and not received.declared.startswith(("image/", "audio/", "video/")):
        named = TEXT
    if named is None:
        raise _unsupported(f"Files of type '{extension or received.declared}' can't be read.")
    return named


def _packed(received: Received, extension: str) -> str:
    names, whole = zip_names(received.head, received.tail)
    office = (each for each in FORMATS if each.folder)
    kind = next((each.media_type for each in office if any(name.startswith(each.folder) for name in names)), None)
    if kind and "xl/workbook.bin" in names:
        raise _unsupported("This is a binary workbook (XLSB). Save it as XLSX first.")
    if kind and ("[content_types].xml" in names or not whole):
        return kind
    for each in FORMATS:
        if each.member and (each.member in names or f"mimetype{each.media_type}".encode() in received.head[:200]):
            return each.media_type
    if b"mimetypeapplication/vnd.oasis.opendocument" in received.head[:200]:
        raise _unsupported("This is an OpenDocument file. Save it as DOCX, XLSX, PPTX or PDF first.")
    if any(name.startswith("visio/") for name in names) and "[content_types].xml" in names:
        raise _unsupported("This is a Visio drawing. Save it as PDF first.")
    if extension in _IWORK or any(name.endswith(".iwa") for name in names):
        raise _unsupported("This is a Pages, Numbers or Keynote file. Export it as DOCX, XLSX, PPTX or PDF first.")
    named = _named(received)
    return named.media_type if named is not None and named.diagnoses and not whole else ZIP


def _old_office(received: Received, extension: str) -> str:
    named = FORMATS.by_name(received.filename)
    if named is not None and named.diagnoses:
        return named.media_type  # one with a password is such a file; the parser says so
    if ENCRYPTED in received.head or ENCRYPTED in received.tail:
        return DOCX
    if extension == ".msg":
        raise _unsupported("This is an Outlook message. Save it as EML first.")
    raise _unsupported("This is a file of an old Office version. Save it as DOCX, XLSX, PPTX or PDF first.")


def _looks_like_html(head: bytes) -> bool:
    start = head[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    while start.startswith((b"<?xml", b"<!--")):
        end = start.find(b"?>" if start.startswith(b"<?xml") else b"-->")
        if end < 0:
            return False
        start = start[end + 2 :].lstrip(b"> \t\r\n")
    return start.startswith(_HTML_STARTS)


def _looks_like_mail(head: bytes) -> bool:
    """Header fields from the first line on, with a field that only mail has."""
    fields: set[bytes] = set()
    for line in head[:8192].lstrip(b"\xef\xbb\xbf").splitlines(keepends=True):
        found = _FIELD.match(line)
        if found:
            fields.add(found[1].lower())
        elif not line.startswith((b" ", b"\t")):
            break
    return bool(fields & _MAIL_FIELDS) and len(fields & _WHOM_FIELDS) >= 2


def _unsupported(why: str) -> ParseFailed:
    return ParseFailed("unsupported", why)
