"""Lines that a document has beside what it says: entries of its contents, references, and lines of a page."""

from __future__ import annotations

import re

_LEADERS = r"(?:(?:\.[ ]?){4,}+|…{2,}+|(?:·[ ]?){4,}+)"
_ENTRY = re.compile(rf"(?P<number>(?:\d{{1,2}}\.)*\d{{1,2}}\.? )?[^\n]*?{_LEADERS}\s*(?P<page>\d{{1,4}})\W*")
"""A line of a table of contents ends with its page; one of a price list may as well."""
_URL = re.compile(r"(?:https?:|www\.)\S+", re.IGNORECASE)
_DAY = (
    r"(?:\d{1,2}(?:st|nd|rd|th)? [^\W\d_]{3,9}\.?,? \d{4}|[^\W\d_]{3,9}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}"
    r"|\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4})"
)
_REFERENCE = re.compile(
    rf"\b(?:archived )?from the original (?:\([^)\n]{{1,40}}\) )?on {_DAY}"
    rf"|(?:^|[.,;:([\"”’)]\s*)(?:retrieved|accessed|archived)(?: on)?:? {_DAY}(?=\W*$|[.;,)\]]|,? (?:from|via|at)\b)"
    r"|\bdoi:\s?10\.|\bISBN(?:-1[03])?:? ?\d[\d -]{8,}|\barXiv:\d",
    re.IGNORECASE,
)
_MOST_ENTRY = 300
"""Characters of an entry."""
_MOST_LINK = 0.4
"""The share of a line that links may be."""


def is_furniture(text: str) -> bool:
    """Whether a line is a numbered entry of a table of contents, a reference to another publication, or mostly a
    link."""
    entry = _entry(text)
    return (entry is not None and entry["number"] is not None) or leads_elsewhere(text)


def leads_elsewhere(text: str) -> bool:
    """Whether a line is a reference to another publication, or mostly a link."""
    return _REFERENCE.search(text) is not None or is_link(text)


def is_link(text: str) -> bool:
    """Whether a line is mostly a link."""
    links = sum(len(found.group()) for found in _URL.finditer(text))
    return links > _MOST_LINK * max(1, len(text))


def are_contents(text: str, following: str) -> bool:
    """Whether two lines that follow each other are entries of a table of contents: each with its page, in order."""
    one, other = _entry(text), _entry(following)
    return one is not None and other is not None and int(one["page"]) <= int(other["page"])


def _entry(text: str) -> re.Match[str] | None:
    line = text.strip()
    return _ENTRY.fullmatch(line) if len(line) <= _MOST_ENTRY else None
