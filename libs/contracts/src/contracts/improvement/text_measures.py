"""How near a text is to one that is right: by its words, and the numbers in them. The lab's evaluations and the command
line measure alike.

| measure | 1 means |
| --- | --- |
| answer_found | one of the right answers stands in the text, word for word |
| answer_f1 | the same words as one of them (SQuAD's F1) |
| answer_rouge_l | the same words in the same order (ROUGE-L's F) |
| numbers_exact | all numbers of one of them stand in the text, by value; left out where none has numbers |
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

MOST_WORDS = 10_000
"""Of a text, from its beginning; what comes after is not measured."""
_ARTICLES = frozenset(("a", "an", "the"))
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = rf"[{_CJK}]|[^\W_{_CJK}]+(?:(?<=\d)[.,](?=\d)[^\W_{_CJK}]+)*(?:\+\+|#)?"
"""One Chinese or Japanese character, or letters and digits, with what belongs to them in `1.5`, `C++` and `F#`."""
_WORDS = re.compile(_WORD)
_RAW = re.compile(rf"{_WORD}|\S")
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_NUMBER = re.compile(
    r"(?:(?<![\w)\]%.,])(?P<sign>[-\u2212\u2013])[$€£¥]?)?"
    r"(?:(?P<grouped>[1-9]\d{0,2}(?P<by>[.,'\u2019\u066c\u00a0\u2009\u202f])\d{3}(?:(?P=by)\d{3})*)(?!\d)"
    r"(?:(?!(?P=by))[.,\u066b](?P<rest>\d+))?"
    r"|(?P<whole>\d+)(?:[.,\u066b](?P<decimals>\d+))?"
    r"|(?<![\w.,])[.\u066b](?P<below_one>\d+))"
)
"""Digits in groups of three by one separator, or ungrouped ones, each maybe with decimals; or decimals alone."""


def measure_text(answers: Sequence[str], text: str) -> dict[str, float]:
    """The figures that the right answers (at least one) define, each from 0 to 1."""
    pairs = list(_pairs(answers, text))
    found = {
        "answer_found": float(any(_contains(said, expected) for expected, said in pairs)),
        "answer_f1": max(token_f1(expected, said) for expected, said in pairs),
        "answer_rouge_l": max(rouge_l(expected, said) for expected, said in pairs),
    }
    known = [numbers(answer) for answer in answers]
    if any(known):
        stated = frozenset().union(*numbers(text))
        found["numbers_exact"] = float(any(each and all(one & stated for one in each) for each in known))
    return found


def is_exact(answers: Sequence[str], text: str) -> bool:
    """Whether the text is one of the right answers, word for word, and nothing else."""
    return any(expected == said for expected, said in _pairs(answers, text))


def token_f1(expected: Sequence[str], said: Sequence[str]) -> float:
    """The harmonic mean of precision and recall of words, however they are ordered."""
    shared = sum((Counter(expected) & Counter(said)).values())
    return _f(shared, len(expected), len(said))


def rouge_l(expected: Sequence[str], said: Sequence[str]) -> float:
    """The same of the longest common subsequence (Lin, "ROUGE", 2004), precision and recall alike."""
    return _f(longest_common_subsequence(expected, said), len(expected), len(said))


def words(text: str) -> list[str]:
    """Words without case, punctuation and articles, as SQuAD's evaluation compares them (Rajpurkar et al., 2016), but
    that decimals and the signs of `C++` and `C#` stay in their words."""
    found = _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())
    return [word for word in found if word not in _ARTICLES][:MOST_WORDS]


def raw_tokens(text: str) -> list[str]:
    """Words with their case, articles, and each sign: for answers of which `words` leaves nothing, such as `A`."""
    return _RAW.findall(unicodedata.normalize("NFKC", text))[:MOST_WORDS]


def longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Its length. A row of the usual table is one integer with a bit for each word, as differences of neighbours are 0
    or 1 (Crochemore, Iliopoulos, Pinzon and Reid, "A fast and practical bit-vector algorithm for the longest common
    subsequence problem", 2001; Hyyrö, "Bit-parallel LCS-length computation revisited", 2004)."""
    short, long = sorted((one, other), key=len)
    places: dict[str, int] = {}
    for at, word in enumerate(long):
        places[word] = places.get(word, 0) | 1 << at
    every = (1 << len(long)) - 1
    row = every
    for word in short:
        matches = row & places.get(word, 0)
        if matches:
            row = ((row + matches) | (row - matches)) & every
    return len(long) - row.bit_count()


def numbers(text: str) -> set[frozenset[str]]:
    """The numbers in a text, each as what it can be read as: `1,234` and `1.234` may be 1234 and 1.234. Digits of any
    script count; a space groups digits only where it is a no-break or thin one."""
    plain = _FOREIGN_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    return {_readings(found) for found in _NUMBER.finditer(plain)}


def _readings(found: re.Match[str]) -> frozenset[str]:
    negative = found["sign"] is not None
    if found["grouped"] is None:
        decimals = found["decimals"] or found["below_one"] or ""
        return frozenset((_plain(negative, found["whole"] or "", decimals),))
    groups = found["grouped"].split(found["by"])
    readings = {_plain(negative, "".join(groups), found["rest"] or "")}
    if len(groups) == 2 and found["rest"] is None and found["by"] in ".,":
        readings.add(_plain(negative, *groups))
    return frozenset(readings)


def _plain(negative: bool, whole: str, decimals: str) -> str:
    """A number without zeros that say nothing."""
    digits, fraction = whole.lstrip("0") or "0", decimals.rstrip("0")
    number = f"{digits}.{fraction}" if fraction else digits
    return f"-{number}" if negative and number != "0" else number


def _pairs(answers: Sequence[str], text: str) -> Iterator[tuple[list[str], list[str]]]:
    """The words of each right answer and of the text, read alike."""
    normal, raw = words(text), raw_tokens(text)
    for answer in answers:
        yield (expected, normal) if (expected := words(answer)) else (raw_tokens(answer), raw)


def _contains(said: Sequence[str], expected: Sequence[str]) -> bool:
    """Whether the words stand in a row; none of them has a space."""
    return bool(expected) and f" {' '.join(expected)} " in f" {' '.join(said)} "


def _f(shared: int, expected: int, said: int) -> float:
    return 2 * shared / (expected + said) if expected + said else 0.0
