"""Headings of a PDF, told by their size: lines set larger than the body of the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ingest.parsing.layout import Piece

LARGER = 1.12
LONGEST = 150
LEVELS = 4


class HeadingSizes:
    """The sizes of a document: the body's, which most characters have, and those of headings, largest first.

    `known` are the sizes of headings in what came before, so that levels mean the same in every part.
    """

    def __init__(self, pieces: Iterable[Piece], known: Iterable[float] = ()) -> None:
        all_pieces = list(pieces)
        characters: Counter[float] = Counter()
        for piece in all_pieces:
            characters[_size(piece)] += len(piece.text)
        self._body = max(characters, key=lambda size: characters[size], default=0.0)
        found = {_size(piece) for piece in all_pieces if self._stands_out(piece)}
        self.known = sorted(found.union(known), reverse=True)

    def level(self, piece: Piece) -> int:
        """The level of a heading, from 1; 0 for what is no heading."""
        return min(LEVELS, self.known.index(_size(piece)) + 1) if self._stands_out(piece) else 0

    def _stands_out(self, piece: Piece) -> bool:
        wordy = any(character.isalpha() for character in piece.text)
        larger = _size(piece) >= LARGER * self._body
        return larger and wordy and piece.kind != "table" and len(piece.text) <= LONGEST


def _size(piece: Piece) -> float:
    return round(piece.height * 2) / 2
