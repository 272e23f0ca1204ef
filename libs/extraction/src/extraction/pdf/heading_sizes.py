"""Headings of a PDF, told by their size: lines set larger than the body of the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from extraction.pdf.layout import Piece

LARGER = 1.12
LONGEST = 150
LEVELS = 4


class HeadingSizes:
    """The sizes of a document: the body's, which most characters have, and those of headings, largest first.

    `known` are the sizes of headings in what came before, so that levels mean the same in every part.
    """

    def __init__(self, pieces: Iterable[Piece], known: Iterable[float] = ()) -> None:
        all_pieces = [(_size(piece), piece) for piece in pieces]
        characters: Counter[float] = Counter()
        for size, piece in all_pieces:
            characters[size] += len(piece.text)
        self._body = max(characters, key=lambda size: characters[size], default=0.0)
        found = {size for size, piece in all_pieces if self._stands_out(size, piece)}
        self.known = sorted(found.union(known), reverse=True)

    def level(self, piece: Piece) -> int:
        """The level of a heading, from 1; 0 for what is no heading."""
        size = _size(piece)
        return min(LEVELS, self.known.index(size) + 1) if self._stands_out(size, piece) else 0

    def _stands_out(self, size: float, piece: Piece) -> bool:
        larger = size >= LARGER * self._body and piece.kind != "table" and len(piece.text) <= LONGEST
        return larger and any(map(str.isalpha, piece.text))


def _size(piece: Piece) -> float:
    return round(piece.height * 2) / 2
