"""Questions of a table's rows, for English: what the table says of what the row names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.generation.spans import MONEY

MOST_VALUE_CHARS = 60
_NAMED = re.compile(r"product|name|item|room|event|part|type", re.IGNORECASE)
_PRICE = re.compile(r"(?:price|cost|fee|rate|tariff|deposit)s?$", re.IGNORECASE)
_KEPT = re.compile(r"(kept|valid|stored|retained|closed|open) for$", re.IGNORECASE)
_NO_NOUN = re.compile(
    r"\b(?:how|what|when|who|where|why|if|every|each|kept|used|included|do|done|to do|see|notes?|remarks?|description|"
    r"meaning|fits|examples?|comment|effect|action|ask|for|with|within|by|full|status|values?|time|date|approver)\b",
    re.IGNORECASE,
)
_NO_NAME = re.compile(
    r"(?:\W|\d|none\b|other|everything|up to|above|below|more than|less than|over|under|from|between|total|rest of)",
    re.IGNORECASE,
)
_NUMERIC = re.compile(r"[\d.,]+")
_PLURAL = re.compile(r"[a-z]{3,}s", re.IGNORECASE)
_IS_MONEY = re.compile(MONEY)
_CODE = re.compile(r"(?=.*\d)(?=.*[A-Z])(?!.*\b[a-z]{2})[\w /-]+")
_MOST_NAME_WORDS = 9
Cells = Sequence[tuple[str, str]]


def question_of_row(cells: Cells, passage: str) -> tuple[str, str] | None:
    """A question and its answer, of the last column that one can ask about."""
    name_header, name = next(((header, cell) for header, cell in cells if _NAMED.search(header)), cells[0])
    if _NO_NAME.match(name) or not re.search(r"[A-Za-z]{3}", name) or len(name) > MOST_VALUE_CHARS:
        return None
    if name.endswith(".") or len(name.split()) > _MOST_NAME_WORDS:
        return None  # a sentence names nothing
    for header, value in reversed(cells):
        if header != name_header and re.match(r"[\w±+-]", value) and len(value) <= MOST_VALUE_CHARS:
            question = _question(header, value, name, passage)
            if question is not None:
                return question, value
    return None


def _question(header: str, value: str, name: str, passage: str) -> str | None:
    named = _with_article(name, passage)
    if _CODE.fullmatch(header):
        return f"What is the {_lower(name, '')} of the {header}?"
    if kept := _KEPT.match(header):
        shown = f"are {_lower(name, passage)}" if _is_plural(name) else f"is {named}"
        return f"How long {shown} {kept[1].lower()}?"
    if _PRICE.search(header):
        return f"What is the {_lower(header, '')} of {named}?"
    if _NO_NOUN.search(header) or _IS_MONEY.search(value) or (_is_plural(header) and not _NUMERIC.fullmatch(value)):
        return None
    if _NUMERIC.fullmatch(value):
        return f"How many {header.lower()} does {named} have?" if _PLURAL.fullmatch(header) else None
    return f"What is the {_lower(header, '')} for {named}?"


def _is_plural(name: str) -> bool:
    head = re.split(r" (?:of|for|from|that|in)\b|[(,]", name)[0].strip()
    return head.endswith("s") or " and " in head


def _lower(text: str, passage: str) -> str:
    """As it stands within a sentence: a single word may be a name."""
    first, _, rest = text.partition(" ")
    if not first[1:].islower() or re.search(r"[A-Z]", rest):
        return text
    if rest or not passage or re.search(rf"\b{re.escape(text.lower())}\b", passage):
        return re.sub(r"^your\b", "my", text[0].lower() + text[1:])
    return text


def _with_article(name: str, passage: str) -> str:
    shown = _lower(name, passage)
    is_name = shown[0].isupper() and not re.search(r"\d", shown)
    bare = is_name or re.match(r"(?:the|a|an|my|any|each|all|no|\w+ing)\b", shown)
    return shown if bare else f"the {shown}"
