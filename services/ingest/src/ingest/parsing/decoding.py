"""Bytes to text: by byte order mark, then UTF-8, then what the document says of itself, then the likeliest."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(
    rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.I
)
SAMPLE = 64 * 1024


def decode(content: bytes, *, html: bool = False) -> str:
    """The text; bytes that fit no encoding become U+FFFD rather than an error."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    declared = _DECLARED.search(content[:4096]) if html else None
    if declared:
        try:
            return content.decode(declared[1].decode("ascii"), "replace")
        except LookupError:
            pass
    return content.decode(_likeliest(content), "replace")


def _likeliest(content: bytes) -> str:
    """Mostly valid UTF-8 is UTF-8 with a few bad bytes; the rest is guessed from a sample."""
    if content.decode("utf-8", "replace").count("\ufffd") * 200 < len(content):
        return "utf-8"
    from charset_normalizer import from_bytes

    best = from_bytes(content[:SAMPLE]).best()
    return best.encoding if best else "cp1252"
