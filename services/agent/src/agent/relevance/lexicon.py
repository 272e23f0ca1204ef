"""Other words for the same thing: how much of a question is in a passage if likeness of meaning counts, too.

A document says "warranty" where the question says "guarantee". Words are compared by the cosine of their embeddings,
which are kept, since the same words come again and again. Names, codes and numbers have no other wording.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from agent.ports import Vector
from agent.text.words import Term, form_set, is_content, words

LIKE = 0.35
"""The cosine of two words from which they count as alike at all."""
SAME = 0.85
"""The cosine from which they count as the same."""
SHORT_FORM = 0.9
"""The likeness of a word and one that it begins, as `demo` and `demonstration`."""
MIN_SHORT_FORM = 4
MAX_KEPT = 6_000
Weights = Mapping[Term, float]


class Lexicon:
    """Unit vectors of words, the most recently learned ones kept."""

    def __init__(self, limit: int = MAX_KEPT) -> None:
        self._limit = limit
        self._known: dict[str, Vector] = {}

    def unknown(self, words: Iterable[str]) -> list[str]:
        """Those words whose vectors are not known yet, each once."""
        return [word for word in dict.fromkeys(words) if word not in self._known]

    def learn(self, words: Sequence[str], vectors: Sequence[Vector]) -> None:
        """Keep vectors, and drop the oldest beyond the limit."""
        for word, vector in zip(words, vectors, strict=True):
            self._known[word] = unit(vector)
        while len(self._known) > self._limit:
            del self._known[next(iter(self._known))]

    def find(self, words: Iterable[str]) -> dict[str, Vector]:
        """The vectors of those words that are known."""
        return {word: self._known[word] for word in words if word in self._known}

    def likeness(self, word: str, others: Iterable[str]) -> float:
        """How like the likest of the others is: 0 for unlike or unknown ones, 1 for the same."""
        others = list(others)
        short = any(_is_short_form(word, other) for other in others)
        known = [self._known[other] for other in others if other in self._known]
        if word not in self._known or not known:
            return SHORT_FORM if short else 0.0
        cosine = float(np.max(np.stack(known) @ self._known[word]))
        return max(SHORT_FORM if short else 0.0, min(1.0, max(0.0, (cosine - LIKE) / (SAME - LIKE))))


def unit(vector: Vector) -> Vector:
    """The vector at length 1; 0 stays 0."""
    return vector / (float(np.linalg.norm(vector)) or 1.0)


def _is_short_form(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= MIN_SHORT_FORM and long.startswith(short)


def wording(text: str) -> frozenset[str]:
    """The words of a text that could be other words for something."""
    return frozenset(token.lower() for token in words(text) if len(token) > 2 and token.isalpha() and is_content(token))


def words_to_compare(wanted: Sequence[Term], texts: Iterable[str]) -> list[str]:
    """The words whose vectors are needed to compare texts with these terms, the terms' own first.

    A text that has every term in some form needs none: nothing in it has to stand for another word.
    """
    asked: dict[str, None] = {}
    there: dict[str, None] = {}
    for text in texts:
        present = form_set(text)
        missing = [term.text.lower() for term in wanted if not term.distinctive and term.forms.isdisjoint(present)]
        if missing:
            asked.update(dict.fromkeys(missing))
            there.update(dict.fromkeys(sorted(wording(text))))
    return list(dict.fromkeys((*asked, *there)))


def term_shares(wanted: Sequence[Term], text: str, lexicon: Lexicon) -> list[float]:
    """For each term how much of it a text has: 1 if it is there in some form, part of it for other words like it."""
    present, words = form_set(text), wording(text)
    return [
        1.0
        if not term.forms.isdisjoint(present)
        else 0.0
        if term.distinctive
        else lexicon.likeness(term.text.lower(), words)
        for term in wanted
    ]


def weighted_mean(wanted: Sequence[Term], weights: Weights, shares: Sequence[float]) -> float:
    """The mean of shares by the terms' weights, 0 to 1."""
    total = sum(weights[term] for term in wanted)
    return sum(weights[term] * share for term, share in zip(wanted, shares, strict=True)) / total if total else 0.0
