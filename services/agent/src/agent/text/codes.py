"""Codes: names of letters and then a number, as `E06`, `SEV2` or `L4-30`. `X9`, `X-9` and `X 9` are one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from agent.text.scripts import UNSPACED

_PART = rf"[^\W{UNSPACED}]"
"""Of a word. A clause that is written without blanks may stand around a code: "错误E06怎么办"."""
_LETTERS, _NUMBER, _BEGIN = rf"[^\W\d_{UNSPACED}]+", rf"\d{_PART}*(?:-{_PART}+)*", rf"(?<!{_PART})(?<!-)"
_JOINED = re.compile(rf"{_BEGIN}({_LETTERS})-?({_NUMBER})")
_APART = re.compile(rf"{_BEGIN}({_LETTERS}) ({_NUMBER})(?!{_PART})( ?[a-z%°])?")
"""The last group is there where the number may count something: "COVID 2 days"."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_DIGITS = re.compile(r"\d+")
_CURRENCIES = frozenset(("eur", "usd", "gbp", "chf"))
_WORDS_TOO = frozenset(("a", "i"))


@dataclass(frozen=True, slots=True)
class Code:
    """One code, in small letters."""

    letters: str
    number: str
    """From the first digit on: `4-30` of `L4-30`."""

    def is_named_by(self, other: Code) -> bool:
        """Whether the other one is the same or its family: what is said of `L4` or `L4-10` is near to `L4-30`."""
        return self.letters == other.letters and self.number.split("-")[0] == other.number.split("-")[0]

    def is_sibling(self, other: Code) -> bool:
        """Whether the other one has the same letters before another number."""
        return self.letters == other.letters and _value(self.number) != _value(other.number)


@lru_cache(maxsize=512)
def codes_of(text: str) -> frozenset[Code]:
    """All that may be a code in a text, in any spelling."""
    return frozenset((*codes_in(text), *spaced_codes(text)))


@lru_cache(maxsize=512)
def sure_codes_of(text: str) -> frozenset[Code]:
    """Those of which no number may count something instead."""
    return frozenset((*codes_in(text), *spaced_codes(text, sure=True)))


def codes_in(text: str) -> list[Code]:
    """Those whose letters and digits stand together or have a hyphen between them, each once, in order."""
    found = (Code(letters.lower(), number.lower()) for letters, number in _JOINED.findall(text))
    return list(dict.fromkeys(code for code in found if _may_be(code)))


def asked_codes(text: str) -> list[Code]:
    """Those of a question: with a space between only after capitals, as in "GPT 4"."""
    return list(dict.fromkeys((*codes_in(text), *spaced_codes(text, sure=True, capitals=True))))


def spaced_codes(text: str, sure: bool = False, capitals: bool = False) -> list[Code]:
    """Those with a space between: a single letter is a capital, and `A` and `I` are words."""
    return [
        code
        for letters, number, following in _APART.findall(text)
        for code in (Code(letters.lower(), number.lower()),)
        if _may_be(code)
        and code.letters not in _WORDS_TOO
        and (letters.isupper() or (len(letters) > 1 and not capitals))
        and not (sure and following)
    ]


def _may_be(code: Code) -> bool:
    """An amount and a year, as in "mid-2025", are no code."""
    return code.letters not in _CURRENCIES and not (len(code.letters) > 1 and _YEAR.fullmatch(code.number))


def _value(number: str) -> str:
    found = _DIGITS.match(number)
    return found.group().lstrip("0") if found else ""
