"""Which questions ask the same: in the same words, but for little ones, or for one letter more in one word.

By rule, so that a refusal can be understood and mended. What differs in a number, a name or a denial is never alike.
Takes time in proportion to the words: what a question would be like is looked up, and no two are compared.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

Words = tuple[str, ...]
LITTLE = frozenset(("a", "an", "the", "is", "are", "s", "re", "please"))
"""Words without which a question is the same."""
MOST_WORDS = 64
"""Longer ones are alike only if they have the same words."""
LEAST_LETTERS = 5
"""Of a word that may have a letter more: `events` for `event`, but not `bad` for `bd`."""
_TURN = "\n"
"""Stands between what a person says first and next."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+")
"""A character of a writing without spaces, or letters and digits in a row."""


def words_of(text: str) -> Words:
    """The words that count, in order; of a text without any, the text."""
    found = tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
    return tuple(word for word in found if word not in LITTLE) or found or (text.strip(),)


def conversation_words(said: Sequence[str]) -> Words:
    """Of a conversation."""
    return tuple(word for text in said for word in (*words_of(text), _TURN))


def find_alike(questions: Sequence[Words]) -> list[tuple[int, int, bool]]:
    """Pairs of places, the earlier one first, and whether the words are the same. A group of questions in the same
    words is told as pairs with its first."""
    first: dict[Words, int] = {}
    pairs = []
    for place, words in enumerate(questions):
        earlier = first.setdefault(words, place)
        if earlier != place:
            pairs.append((earlier, place, True))
    near = {(min(pair), max(pair)) for pair in _nearly(first)}
    return sorted([*pairs, *((one, other, False) for one, other in near)])


def _nearly(first: dict[Words, int]) -> Iterator[tuple[int, int]]:
    """Questions that differ in one word, which has one letter more in one of them."""
    vocabulary = {word for words in first for word in words}
    for words, place in first.items():
        if len(words) > MOST_WORDS:
            continue
        for at, word in enumerate(words):
            for shorter in _shorter(word) & vocabulary:
                other = first.get((*words[:at], shorter, *words[at + 1 :]))
                if other is not None:
                    yield place, other


def _shorter(word: str) -> set[str]:
    """A word with one letter less, which is not the first one."""
    if len(word) <= LEAST_LETTERS or not word.isalpha():
        return set()
    return {word[:cut] + word[cut + 1 :] for cut in range(1, len(word))}
