"""Words that were parted at the end of a line: joined where the document itself shows that they are one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from extraction.pdf.lines import HYPHEN

LONGEST = 60
"""Characters before the mark that are looked at."""
_LETTERS = re.compile(r"[^\W\d_]*")
_WORD = re.compile(r"\w[\w-]*")
_OFTEN_COMPOUND = frozenset(("self", "well", "non", "quasi", "half", "cross", "high", "low", "long", "short", "e"))


class Hyphens:
    """Decides about parted words by the words of the text they stand in."""

    def __init__(self, texts: Iterable[str]) -> None:
        tokens = set("\n".join(texts).lower().split())  # most of them come often: words are looked for in each once
        self._words = set(_WORD.findall("\n".join([token for token in tokens if HYPHEN not in token])))

    def resolved(self, text: str) -> str:
        """The text with each mark gone, where the word is one, or written as the hyphen that it was."""
        whole, *rest = text.split(HYPHEN)
        for after in rest:
            backwards = whole[: -LONGEST - 1 : -1]
            before = _letters(backwards)
            compound = backwards[len(before) : len(before) + 1] == "-"
            whole += ("" if self._one_word(compound, before[::-1], _letters(after)) else "-") + after
        return whole

    def _one_word(self, compound: bool, before: str, after: str) -> bool:
        """Sure if the text has the word elsewhere, or if a part of it is none that the text has."""
        if compound or not before or not after[:1].islower():
            return False
        first, second = before.lower(), after.lower()
        if f"{first}-{second}" in self._words:
            return False
        if first + second in self._words:
            return True
        return first not in _OFTEN_COMPOUND and not (first in self._words and second in self._words)


def _letters(text: str) -> str:
    """Those that it begins with."""
    found = _LETTERS.match(text)
    return found[0] if found else ""
