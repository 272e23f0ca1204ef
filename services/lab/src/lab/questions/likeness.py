"""Which questions ask the same: in the same words, but for little ones, or for a plural or a past in one word.

By rule, so that a refusal can be understood and mended. What differs in a number, a sign, a name or a denial is never
alike. Takes time and memory in proportion to the text: what a question would be like is looked up, and no two are
compared.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

Words = tuple[str, ...]
LITTLE = frozenset(("a", "an", "the", "is", "are", "s", "re", "please"))
"""Words without which a question is the same. Those of one letter only where they can be no name: not as the last
word, and not as a capital within small letters, but for the first word (`vitamin A`)."""
MOST_WORDS = 64
"""Longer ones are alike only if they have the same words."""
LEAST_LETTERS = 5
"""Of a word that may have an ending: `events` for `event`, but not `news` for `new`."""
ENDINGS = ("s", "es", "d", "ed")
_PLANES = 0x20000
"""Writings are in the first two of Unicode's planes."""
_TURN = "\n"
"""Stands between what a person says first and next."""


def _class(*categories: str) -> str:
    """Unicode's characters of these categories as ranges, to stand in a pattern's brackets."""
    ranges: list[list[int]] = []
    for code in range(_PLANES):
        if not unicodedata.category(chr(code)).startswith(categories):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


_MARKS = _class("M")
"""Vowels and tones of many scripts, which are parts of the word."""
_UNSEEN = re.compile(f"[{_class('Cf')}]")
"""Soft hyphens and other characters that nobody sees."""
_MINUS = str.maketrans({"\u2212": "-"})
_LETTERS = rf"[^\W_](?:[^\W_]|[{_MARKS}])*"
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # a character of a writing without spaces
    rf"|(?<![^\W_])-(?=\d)|{_LETTERS}(?:(?<=\d)[.,:/-](?=\d){_LETTERS})*"  # -5 and 5, 1.5 and 1-5 are different
    rf"|[{_class('Sc', 'Sm')}%‰°#]"  # C, C++ and C#; x > 5 and x < 5; $5, 5 € and 5%
)


def words_of(text: str) -> Words:
    """The words and signs that count, in order; of a text without any, the text."""
    shown = _UNSEEN.sub("", unicodedata.normalize("NFKC", text).translate(_MINUS))
    found = _WORD.findall(shown.lower() if shown.isupper() else shown)
    last = len(found) - 1
    return tuple(word.casefold() for at, word in enumerate(found) if not _is_little(word, at == 0, at == last)) or (
        tuple(word.casefold() for word in found) or (text.strip(),)
    )


def _is_little(word: str, is_first: bool, is_last: bool) -> bool:
    if word.casefold() not in LITTLE:
        return False
    return len(word) > 1 or (not is_last and (is_first or word.islower()))


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
    """Questions that differ in one word, which has an ending in one of them."""
    vocabulary = {word for words in first for word in words}
    for words, place in first.items():
        if len(words) > MOST_WORDS:
            continue
        for at, word in enumerate(words):
            for shorter in _without_ending(word) & vocabulary:
                other = first.get((*words[:at], shorter, *words[at + 1 :]))
                if other is not None:
                    yield place, other


def _without_ending(word: str) -> set[str]:
    if len(word) <= LEAST_LETTERS or not word.isalpha():
        return set()
    return {word.removesuffix(ending) for ending in ENDINGS if word.endswith(ending)}


class Asked:
    """Questions that are there already, by their words: tells of one more whether it asks what one of them does. Of
    each it keeps a digest, so that long ones take no more memory than short ones."""

    def __init__(self, questions: Iterable[Words] = ()) -> None:
        self._known = {_digest(words) for words in questions}

    def add(self, words: Words) -> None:
        """One more is there."""
        self._known.add(_digest(words))

    def has(self, words: Words) -> bool:
        """Whether one is alike, as `find_alike` says."""
        if _digest(words) in self._known:
            return True
        if len(words) > MOST_WORDS:
            return False
        return any(
            _digest((*words[:at], other, *words[at + 1 :])) in self._known
            for at, word in enumerate(words)
            for other in _without_ending(word) | _with_ending(word)
        )


def _digest(words: Words) -> bytes:
    return hashlib.blake2b("\0".join(words).encode(errors="surrogatepass"), digest_size=16).digest()


def _with_ending(word: str) -> set[str]:
    return {word + ending for ending in ENDINGS if word in _without_ending(word + ending)}
