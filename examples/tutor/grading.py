"""Whether a learner's answer is what the source has, told without a model. A wrong answer is never called right.

`right` is said only of an answer that has all words of the expected one in a row, and beside them nothing but words of
the question and a few that say nothing: no other number, no denial, no alternative. So some right answers are `unsure`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

Grade = Literal["right", "other_number", "unsure", "empty"]
_TOKEN = re.compile(r"(?<!\w)[-−]\d+(?:[.,:]\d+)*|\d+(?:[.,:]\d+)*|[^\W\d]\w*(?:['’]\w+)?|[±<>≤≥%°€$£/+]")
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?")
_ARTICLES = frozenset(("a", "an", "the"))
_SAYS_NOTHING = frozenset((
    "it", "its", "is", "are", "was", "i", "you", "we", "they", "have", "has", "get", "gets", "takes", "that", "in",
    "of", "for", "on", "to", "think",
))  # fmt: skip
_DENIES = frozenset((
    "not", "no", "never", "none", "nothing", "neither", "nor", "without", "except", "unless", "cannot", "wrong",
    "false",
))  # fmt: skip
_NAMED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER_WORDS = frozenset((
    *_NAMED, "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty",
    "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand", "million", "billion", "dozen",
    "half", "quarter", "couple", "once", "twice", "double", "first", "second", "third", "fourth", "fifth",
))  # fmt: skip
_SAME = {"€": "eur", "$": "usd", "£": "gbp", "percent": "%", "euros": "eur", "euro": "eur"} | {
    word: str(number) for number, word in enumerate(_NAMED)
}


def grade(question: str, expected: str, said: str) -> Grade:
    """What can be said of an answer."""
    wanted, given, asked = words(expected), words(said), words(question)
    if not given:
        return "empty"
    at = _place(given, wanted)
    if at is not None:
        allowed = _SAYS_NOTHING | (frozenset() if "or" in asked else frozenset(asked))
        rest = [*given[:at], *given[at + len(wanted) :]]
        if all(word in allowed and not _is_number(word) and not _denies(word) for word in rest):
            return "right"
    if any(word.lower() in _NUMBER_WORDS for word in _TOKEN.findall(f"{expected} {said}")):
        return "unsure"  # "twenty-seven" may be 27
    numbers, theirs = _values(said, asked), _values(expected)
    return "other_number" if numbers and theirs and not numbers & theirs else "unsure"


def words(text: str) -> list[str]:
    """Words, numbers and signs in one spelling, without articles."""
    found = [word.lower().replace("−", "-").replace("’", "'") for word in _TOKEN.findall(text)]
    return [_number(_SAME.get(word, word)) for word in found if word not in _ARTICLES]


def _number(word: str) -> str:
    if _THOUSANDS.fullmatch(word):
        return word.replace(",", "")
    return word.replace(",", ".") if _DECIMAL_COMMA.fullmatch(word) else word


def _values(text: str, without: Sequence[str] = ()) -> set[str]:
    """What its numbers in digits may be: 1,500 and 1.500 are fifteen hundred to some, and one and a half to others."""
    numbers = [word.replace("−", "-") for word in _TOKEN.findall(text) if _is_number(word.replace("−", "-"))]
    return {
        _value(re.sub(rf"{mark}(?=\d{{3}}(?!\d))", "", word).replace(",", "."))
        for word in numbers
        if _number(word) not in without
        for mark in (",", r"\.")
    }


def _value(number: str) -> str:
    return str(Decimal(number).normalize()) if _PLAIN.fullmatch(number) else number


def _place(given: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Where the expected words stand in a row; of a number and its unit in either order."""
    orders = [list(wanted)]
    if len(wanted) == 2 and _is_number(wanted[0]) != _is_number(wanted[1]):
        orders.append([wanted[1], wanted[0]])
    starts = range(len(given) - len(wanted) + 1) if wanted else range(0)
    return next((at for at in starts if list(given[at : at + len(wanted)]) in orders), None)


def _is_number(word: str) -> bool:
    return word.lstrip("-")[:1].isdigit()


def _denies(word: str) -> bool:
    return word in _DENIES or word.endswith("n't")
