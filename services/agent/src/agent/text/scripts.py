"""Scripts other than Latin: where words are not set apart by blanks, and which stemmer a word gets.

As the search by words cuts and stems them (docs/decisions/0402), so that an answer is found as its document is.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import snowballstemmer

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
UNSPACED = f"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\uac00-\ud7af{HAN}"
"""Of Thai, Lao, Burmese, Khmer, Japanese, Korean and Chinese: a run is a clause, or a word with its particles."""
_MARKS = r"\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u200c\u200d"
"""Vowel marks of Arabic and Hebrew, which are rarely written, and joiners."""
SIGNS = rf"\u0780-\u07bf\u0900-\u0963\u0966-\u0dff\u0f40-\u0fbc{_MARKS}"
"""Of scripts whose vowel signs are no letters to `re`, and would part a word at each."""
_RUN = re.compile(f"[{UNSPACED}]+")
_MARK = re.compile(f"[{_MARKS}]")
_AFTER_LATIN = "\u0370"
_STEMMERS = (
    ("\u0370", "\u03ff", "greek"),
    ("\u0400", "\u052f", "russian"),
    ("\u0531", "\u058f", "armenian"),
    ("\u0600", "\u08ff", "arabic"),
    ("\u0900", "\u097f", "hindi"),
    ("\u0b80", "\u0bff", "tamil"),
)
"""First and last letter of a script, and Snowball's algorithm for its words."""


def pieces(token: str) -> list[str]:
    """The words of a token: of an unspaced run each pair of neighbouring characters, else the token alone."""
    if token[:1] < _AFTER_LATIN or _RUN.fullmatch(token) is None or len(token) < 2:
        return [token]
    return [token[at : at + 2] for at in range(len(token) - 1)]


def is_piece(word: str) -> bool:
    """Whether it is a pair of characters of an unspaced run, of which most words have one or two."""
    return word[:1] >= _AFTER_LATIN and _RUN.fullmatch(word) is not None


def folded(word: str) -> str:
    """A word without marks that some write and others leave out, compatible characters as one."""
    return word if word[:1] < _AFTER_LATIN else _MARK.sub("", unicodedata.normalize("NFKC", word))


def algorithm(word: str) -> str:
    """Snowball's algorithm for a word, by its first letter."""
    first = word[:1]
    if first < _AFTER_LATIN:
        return "english"
    return next((name for low, high, name in _STEMMERS if low <= first <= high), "")


@cache
def stemmer(name: str) -> snowballstemmer.stemmer:
    """The stemmer of an algorithm."""
    return snowballstemmer.stemmer(name)
