"""Ranges of numbers in a text, so that a row "25 to 99" is found for the question about 30 pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agent.text.words import number_value

Range = tuple[float, float]

_N = r"(\d+(?:[.,]\d+)*)"
_UNIT = r"(?:[A-Z]{3}\s|[€$£]\s?)?"
_BETWEEN = re.compile(rf"(?<![\w:.,-]){_N}(?:\s+(?:to|-|until|through)\s+|\s?–\s?){_UNIT}{_N}")
_UP_TO = re.compile(rf"\b(?:up to|at most|less than|below|under|no more than)\s+{_UNIT}{_N}", re.IGNORECASE)
_FROM = re.compile(rf"\b(?:above|over|more than|at least|from)\s+{_UNIT}{_N}|{_N}\s+or more\b", re.IGNORECASE)


def ranges(text: str) -> list[Range]:
    """The ranges that a text names, ends included; open ones reach to 0 or to infinity."""
    found = [(amount(low), amount(high)) for low, high in _BETWEEN.findall(text)]
    found += [(0.0, amount(high)) for high in _UP_TO.findall(text)]
    found += [(amount(low or other), float("inf")) for low, other in _FROM.findall(text)]
    return [(low, high) for low, high in found if low <= high]


def within(value: str, among: Iterable[Range]) -> bool:
    """Whether a word is a number that lies in one of the ranges."""
    number = amount(value)
    return any(low <= number <= high for low, high in among)


def amount(written: str) -> float:
    """The number that a word is; not a number (NaN) if it is none."""
    spelled = number_value(written)
    return float(spelled) if spelled is not None else float("nan")
