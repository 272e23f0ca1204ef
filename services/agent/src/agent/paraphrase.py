"""Other words for the same thing: how much of a question is in a passage if likeness of meaning counts, too.

A document says "warranty" where the question says "guarantee". Words are compared by the cosine of their embeddings,
which are kept, since the same words come again and again. Names, codes and numbers have no other wording.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import mul

from agent.passages import Passage
from agent.ports import Vector
from agent.words import TOKEN, Term, is_content

LIKE = 0.35
"""The cosine of two words from which they count as alike at all."""
SAME = 0.85
"""The cosine from which they count as the same."""
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
        """Keep vectors, and forget the oldest beyond the limit."""
        for word, vector in zip(words, vectors, strict=True):
            self._known[word] = vector
        while len(self._known) > self._limit:
            del self._known[next(iter(self._known))]

    def likeness(self, one: str, other: str) -> float:
        """0 for unlike or unknown words, 1 for the same."""
        first, second = self._known.get(one), self._known.get(other)
        if first is None or second is None:
            return 0.0
        cosine: float = sum(map(mul, first, second))
        return min(1.0, max(0.0, (cosine - LIKE) / (SAME - LIKE)))


def wording(passage: Passage) -> frozenset[str]:
    """The words of a passage and its context that could be other words for something."""
    tokens = TOKEN.findall(f"{passage.text}\n{passage.context}")
    return frozenset(token.lower() for token in tokens if len(token) > 2 and token.isalpha() and is_content(token))


def words_to_compare(wanted: Sequence[Term], found: Sequence[Passage]) -> list[str]:
    """The words whose vectors are needed to compare these passages with these terms."""
    asked = [term.text.lower() for term in wanted if not term.distinctive]
    return list(dict.fromkeys((*asked, *(word for passage in found for word in sorted(wording(passage))))))


def soft_coverage(wanted: Sequence[Term], weights: Weights, passage: Passage, lexicon: Lexicon) -> float:
    """The weighted share of terms in a passage and its context, 0 to 1; a likely paraphrase counts in part."""
    present = passage.forms | passage.context_forms
    words = wording(passage)
    total = held = 0.0
    for term in wanted:
        total += weights[term]
        if not term.forms.isdisjoint(present):
            held += weights[term]
        elif not term.distinctive:
            held += weights[term] * max((lexicon.likeness(term.text.lower(), word) for word in words), default=0.0)
    return held / total if total else 0.0
