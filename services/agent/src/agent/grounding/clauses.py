"""Parts of a sentence that say different things of different subjects: "Adults pay 10 euros and children 5".

All its numbers and names are in such a sentence, and yet "Children pay 10 euros" is not what it says.
"""

from __future__ import annotations

import re

from agent.text.numerals import with_digits
from agent.text.words import GENERIC, TOKEN, forms, has_digit, is_content, number_value, words

_SEPARATOR = re.compile(r"[,;]\s|[，；、،؛]|\s[–-]\s|\b(?:and|but|while|whereas|or|plus|versus)\b", re.IGNORECASE)
_CELLS = re.compile(r"\t|\s\|\s|\S {2,}\S")
Words = frozenset[str]


def mixes_clauses(sentence: str, evidence: str) -> bool:
    """Whether a sentence gives a number or a name from one clause of the evidence to the subject of another one."""
    if _CELLS.search(evidence):
        return False
    sentence, evidence = with_digits(sentence), with_digits(evidence)
    parts = [part for part in _SEPARATOR.split(evidence) if _words(part)]
    if len(parts) < 2:
        return False
    whole = [_words(part) for part in parts]
    own = [_only(whole, at) for at in range(len(whole))]
    said = [_words(clause) for clause in _SEPARATOR.split(sentence)]
    everything = frozenset[str]().union(*said)
    for kind in (_figures, _leading_name):
        anchors = [kind(part) & words for part, words in zip(parts, own, strict=True)]
        if any(_mixes(clause, everything, own, anchors) for clause in said):
            return True
    return False


def _mixes(clause: Words, said: Words, own: list[Words], anchors: list[Words]) -> bool:
    """Whether a clause has an anchor of one clause, lacks that one's subject, and has another one's instead."""
    for at, held in enumerate(anchors):
        if not held & clause or not (own[at] - held) - said:
            continue
        for other, rivals in enumerate(anchors):
            if other != at and rivals and not rivals & clause and (own[other] - rivals) & clause:
                return True
    return False


def _only(clauses: list[Words], at: int) -> Words:
    """What only this clause has."""
    others = frozenset[str]().union(*(clause for place, clause in enumerate(clauses) if place != at))
    return clauses[at] - others


def _figures(part: str) -> Words:
    """The numbers of a clause."""
    return frozenset(word for word in _words(part) if has_digit(word))


def _leading_name(part: str) -> Words:
    """The name that a clause begins with."""
    first = next((token for token in TOKEN.findall(part) if is_content(token)), "")
    return frozenset((min(forms(first)),)) if first[:1].isupper() else frozenset()


def _words(text: str) -> Words:
    """The content words of a clause in one form each, numbers by value."""
    found: set[str] = set()
    for token in words(text):
        value = number_value(token)
        if value is not None:
            found.add(value)
        elif is_content(token) and token.lower() not in GENERIC:
            found.add(min(forms(token)))
    return frozenset(found)
