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
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""UTF-32's little-endian mark begins with UTF-16's."""


def decode(content: bytes, *, html: bool = False) -> str:
    """The text; bytes that fit no encoding become U+FFFD rather than an error."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    if is_wide(content):
        return content.decode("utf-16-be" if content[0] == 0 else "utf-16-le", "replace")
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


def is_wide(content: bytes) -> bool:
    """Whether text takes two or four bytes a character: by its mark or, without one, because most of it is Latin.

    Of Latin text in UTF-16 every other byte is NUL, always on the same side, and never the other.
    """
    if content.startswith(_WIDE_MARKS):
        return True
    sample = content[:4096]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    return len(content) >= 4 and len(content) % 2 == 0 and min(even, odd) == 0 and max(even, odd) * 3 > len(sample)


def _likeliest(content: bytes) -> str:
    """Mostly valid UTF-8 is UTF-8 with a few bad bytes; the rest is guessed from a sample."""
    if content.decode("utf-8", "replace").count("\ufffd") * 200 < len(content):
        return "utf-8"
    from charset_normalizer import from_bytes

    best = from_bytes(content[:SAMPLE]).best()
    return best.encoding if best else "cp1252"
