"""Lines that a document has beside what it says: entries of its contents, references, and lines of a page."""

from __future__ import annotations

import re

_LEADERS = re.compile(r"(?:\.[ ]?){4,}|…{2,}|(?:·[ ]?){4,}")
_URL = re.compile(r"(?:https?:|www\.)\S+", re.IGNORECASE)
_REFERENCE = re.compile(
    r"\b(?:archived|retrieved|accessed)\b.{0,60}\b(?:from the original|(?:19|20)\d\d)\b|\bfrom the original on\b"
    r"|\bdoi:\s?10\.|\bISBN\b|\barXiv:\d",
    re.IGNORECASE | re.DOTALL,
)
_MOST_LINK = 0.4
"""The share of a line that links may be."""


def is_furniture(text: str) -> bool:
    """Whether a line is an entry of a table of contents, a reference to another publication, or mostly a link."""
    links = sum(len(found.group()) for found in _URL.finditer(text))
    return bool(_LEADERS.search(text) or _REFERENCE.search(text)) or links > _MOST_LINK * max(1, len(text))
