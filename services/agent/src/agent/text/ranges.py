"""Ranges of numbers in a text, so that a row "25 to 99" is found for the question about 30 pieces."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from agent.text.words import number_value

Range = tuple[float, float]

_N = r"(?<![\d.,])(\d{1,18}(?:[.,]\d{1,18}){0,6})(?!:?\d)"
"""A number, and no hour."""
_CURRENCY = r"(?:(?-i:[A-Z]{3})\s|[€$£]\s?)?"
_UNIT = r"(?:\s?([€$£%]|(?!(?:or|and|but|to|up|at|no|not|less|fewer|below|under)\b)[^\W\d_]{1,10}\b))?"
_NOT = r"(?<!\bno )(?<!\bnot )"
_LOW = rf"(above|over|{_NOT}more than|at least|from|not? less than|not? fewer than)"
_HIGH = rf"(up to|at most|not? more than|{_NOT}less than|{_NOT}fewer than|below|under)"
_EXCLUDES = {"above", "over", "more than", "less than", "fewer than", "below", "under"}
_SPAN = re.compile(
    rf"\b{_LOW}\s+{_CURRENCY}{_N}{_UNIT}(?:,?\s(?:and|but))?,?\s+{_HIGH}\s+{_CURRENCY}{_N}{_UNIT}", re.IGNORECASE
)
"""Two ends that are named apart: "above 40 up to 100 pounds"."""
_BETWEEN = re.compile(
    rf"(?<![\w:.,-]){_N}(?:\s+(?:to|-|until|through)\s+|\s?–\s?){_CURRENCY}{_N}"
    rf"|\bbetween\s+{_CURRENCY}{_N}{_UNIT}\s+and\s+{_CURRENCY}{_N}",
    re.IGNORECASE,
)
_UP_TO = re.compile(rf"\b{_HIGH}\s+{_CURRENCY}{_N}(s?)", re.IGNORECASE)
_FROM = re.compile(rf"\b{_LOW}\s+{_CURRENCY}{_N}(s?)|{_N}\s+or more\b", re.IGNORECASE)


def ranges(text: str) -> list[Range]:
    """The ranges that a text names: an end is a part of it unless "above", "under" or the like says otherwise ("over
    60s" has those of 60); open ones reach to 0 or to infinity. Two ends of different units, or of which the upper is
    the lower, are two open ones ("over 65 or under 5", "over 60 cm, up to 30 kg")."""
    found: list[Range] = []

    def span(ends: re.Match[str]) -> str:
        low, high = _least(ends[1], ends[2]), _most(ends[4], ends[5])
        units = {unit.casefold() for unit in (ends[3], ends[6]) if unit}
        return ends[0] if len(units) > 1 or low > high else add(low, high)

    def add(low: float, high: float) -> str:
        found.append((low, high))
        return "; "  # so that neither end is read once more

    left = _SPAN.sub(span, text)
    left = _BETWEEN.sub(lambda ends: add(amount(ends[1] or ends[3]), amount(ends[2] or ends[5])), left)
    left = _UP_TO.sub(lambda end: add(0.0, _most(end[1], end[2], end[3])), left)
    _FROM.sub(lambda end: add(_least(end[1] or "", end[2] or end[4], end[3] or ""), math.inf), left)
    return [(low, high) for low, high in found if low <= high]


def _least(word: str, written: str, of: str = "") -> float:
    return math.nextafter(amount(written), math.inf) if word.lower() in _EXCLUDES and not of else amount(written)


def _most(word: str, written: str, of: str = "") -> float:
    return math.nextafter(amount(written), -math.inf) if word.lower() in _EXCLUDES and not of else amount(written)


def within(value: str, among: Iterable[Range]) -> bool:
    """Whether a word is a number that lies in one of the ranges."""
    number = amount(value)
    return any(low <= number <= high for low, high in among)


def amount(written: str) -> float:
    """The number that a word is; not a number (NaN) if it is none."""
    spelled = number_value(written)
    return float(spelled) if spelled is not None else float("nan")
