"""Words of an extracted text found among the words that are drawn on its page.

The text has the page's words in another order (columns, cells), and some of them joined that a line's end parted. So
both are laid beside each other run by run, the longest first, and each drawn word serves one word of the text.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

from extraction.model.document import clean
from extraction.pdf.lines import HYPHEN

LONGEST_RUN = 40
"""Words by which one place is told from another that begins with the same words."""
MOST_PLACES = 200
"""Places of a word that are compared: a page of one word repeated must not cost the square of its length."""
LONGEST_WORD = 60
"""Characters of a word that may be put together from two."""
ON_A_LINE = 4.0
"""Words of one line stand at heights that differ by less, in points."""
_DRAWN = re.compile(rf"[^\s{HYPHEN}]+{HYPHEN}?")
_WRITTEN = re.compile(r"\S+")
_BETWEEN_CELLS = "|"
_PARTING = f"{HYPHEN}-\N{EN DASH}"
Span = tuple[int, int]
Place = tuple[float, float]
"""Left edge and middle height of a drawn word, in points, y upwards."""


class Word(NamedTuple):
    """A word and the characters that it is."""

    key: str
    start: int
    end: int
    parted: bool = False
    """Whether it may be the first half of a word."""


def drawn_words(text: str) -> list[Word]:
    """The words of a page's own text."""
    found = []
    for match in _DRAWN.finditer(text):
        key = clean(match[0])
        if key and key != _BETWEEN_CELLS:
            found.append(Word(key, match.start(), match.end(), match[0][-1] in _PARTING))
    return found


def written_words(text: str, blocks: Iterable[Span]) -> list[Word]:
    """The words of these blocks of an extracted text."""
    return [
        Word(match[0], match.start(), match.end())
        for start, end in blocks
        for match in _WRITTEN.finditer(text, start, end)
        if match[0] != _BETWEEN_CELLS
    ]


def match_words(written: Sequence[Word], drawn: Sequence[Word], places: Sequence[Place]) -> list[tuple[int, ...]]:
    """For each written word the numbers of the drawn words that make it: none, one, or two.

    `places` are those of the drawn words.
    """
    return _Matching(written, drawn, places).found()


class _Matching:
    def __init__(self, written: Sequence[Word], drawn: Sequence[Word], places: Sequence[Place]) -> None:
        self._written, self._drawn, self._at = written, drawn, places
        self._free = [True] * len(drawn)
        self._whole: defaultdict[str, deque[int]] = defaultdict(deque)
        self._halves: defaultdict[str, deque[int]] = defaultdict(deque)
        for number, word in enumerate(drawn):
            self._whole[word.key].append(number)
            if word.parted:
                self._halves[word.key.rstrip(_PARTING)].append(number)

    def found(self) -> list[tuple[int, ...]]:
        """See `match_words`."""
        found: list[tuple[int, ...]] = []
        last = -1
        while len(found) < len(self._written):
            at = len(found)
            first = self._nearest(self._places(self._whole, self._written[at].key), last, at)
            if first is None:
                numbers = self._two_halves(self._written[at].key, last)
                found.append(numbers)
            else:
                numbers = tuple(range(first, first + self._run(at, first)))
                found += [(number,) for number in numbers]
            for number in numbers:
                self._free[number] = False
            last = numbers[-1] if numbers else last
        return found

    def _places(self, index: Mapping[str, deque[int]], key: str) -> list[int]:
        """The first places of a word that are free."""
        known = index.get(key)
        while known and not self._free[known[0]]:
            known.popleft()
        return list(islice((number for number in known or () if self._free[number]), MOST_PLACES))

    def _nearest(self, places: Sequence[int], last: int, at: int | None = None) -> int | None:
        """The place of the longest run from word `at` on, among equals the next that one reads after the last."""
        if len(places) > 1 and at is not None:
            runs = [self._run(at, number) for number in places]
            places = [number for number, run in zip(places, runs, strict=True) if run == max(runs)]
        if len(places) < 2 or last < 0:
            return places[0] if places else None
        return min(places, key=partial(self._distance, last))

    def _run(self, at: int, number: int) -> int:
        """How many words from `at` on are drawn from `number` on, not further than to the foot of a column."""
        end = min(LONGEST_RUN, len(self._written) - at, len(self._drawn) - number)
        for count in range(end):
            here = number + count
            if not self._free[here] or self._written[at + count].key != self._drawn[here].key:
                return count
            if count and self._at[here][1] > self._at[here - 1][1] + ON_A_LINE:
                return count
        return end

    def _two_halves(self, key: str, last: int) -> tuple[int, ...]:
        """The drawn words of one that a line's end parted."""
        for cut in range(1, min(len(key), LONGEST_WORD)):
            first = self._nearest(self._places(self._halves, key[:cut].rstrip(_PARTING)), last)
            if first is not None:
                rest = [number for number in self._places(self._whole, key[cut:]) if number != first]
                second = self._nearest(rest, first)
                if second is not None:
                    return first, second
        return ()

    def _distance(self, last: int, number: int) -> tuple[int, float]:
        """How far a reader goes from one word to another: along the line, else down, else back up; in points."""
        (left, middle), (here_left, here_middle) = self._at[last], self._at[number]
        down, along = middle - here_middle, here_left - left
        if abs(down) < ON_A_LINE and along > 0:
            return 0, along
        return (1 if down > 0 else 2), abs(down) + abs(along) / 10
