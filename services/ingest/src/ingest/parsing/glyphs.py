"""Where a PDF page's characters stand, asked of PDFium: the inner loop of parsing.

PDFium answers one character at a time and through pypdfium2's checked signatures a call costs 1.3 µs; with plain
addresses it costs 0.4 µs. So the calls here are few and bare, and their answers are collected in one array.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from math import isfinite
from typing import Any

from pypdfium2 import PdfTextPage, raw

_ROOM = 512
"""Answers that are collected before they are taken over; making an array for each question would cost more than it."""
_Floats = ctypes.c_float * (4 * _ROOM)
_Doubles = ctypes.c_double * (2 * _ROOM + 1)
_ADDRESS, _INTEGER = ctypes.c_void_p, ctypes.c_int


class Glyphs:
    """The characters of one page, by their position in its text; valid while the text page is open."""

    def __init__(self, page: PdfTextPage, text: str) -> None:
        self._text_page = page.raw
        self._page: int = ctypes.cast(page.raw, _ADDRESS).value or 0
        self._mapped = len(text) != page.count_chars()
        self._pairs = [place for place, letter in enumerate(text) if letter > "\uffff"] if self._mapped else []
        self._floats, self._doubles = _Floats(), _Doubles()
        self._box = _bare("FPDFText_GetLooseCharBox", _ADDRESS, _INTEGER, _ADDRESS)
        self._count = _bare("FPDFText_CountRects", _ADDRESS, _INTEGER, _INTEGER)
        self._rectangle = _bare("FPDFText_GetRect", _ADDRESS, _INTEGER, *[_ADDRESS] * 4)

    def boxes(self, positions: Sequence[int]) -> list[float]:
        """left, top, right, bottom of each character in turn, flat, in points.

        They are the font's boxes, not the letters', so that lines of one size are equally high.
        """
        places: list[float] = []
        page, box, start = self._page, self._box, ctypes.addressof(self._floats)
        for first in range(0, len(positions), _ROOM):
            some = positions[first : first + _ROOM]
            address = start
            for index in map(self._index, some) if self._mapped else some:
                box(page, index, address)
                address += 16
            places += self._floats[: 4 * len(some)]
        # Places that are no numbers, as a file may ask for, would spread through every comparison.
        return places if isfinite(sum(places)) else [place if isfinite(place) else 0.0 for place in places]

    def runs(self, start: int, end: int) -> list[tuple[float, float]]:
        """Left and right edges of what was drawn as one piece of text; nothing where that is the whole."""
        if self._mapped:
            start, end = self._index(start), self._index(end - 1) + 1
        page, rectangle = self._page, self._rectangle
        count = self._count(page, start, end - start)
        if count < 2:
            return []
        edges: list[float] = []
        start = ctypes.addressof(self._doubles)
        unused = start + 16 * _ROOM
        for first in range(0, count, _ROOM):
            address = start
            for number in range(first, min(first + _ROOM, count)):
                rectangle(page, number, address, unused, address + 8, unused)
                address += 16
            edges += self._doubles[: (address - start) // 8]
        return list(zip(edges[::2], edges[1::2], strict=True))

    def angle(self, position: int) -> float:
        """The direction of writing at a character, clockwise, in radians."""
        return float(raw.FPDFText_GetCharAngle(self._text_page, self._index(position)))

    def _index(self, position: int) -> int:
        """PDFium's own number of a character: it counts in UTF-16, and has some characters that are not in the text."""
        if not self._mapped:
            return position
        units = position + bisect_left(self._pairs, position)
        return int(_bare("FPDFText_GetCharIndexFromTextIndex", _ADDRESS, _INTEGER)(self._page, units))


@cache
def _bare(name: str, *arguments: Any) -> Callable[..., int]:
    """A function of PDFium without the conversions of arguments that the bindings put before it."""
    address = ctypes.cast(getattr(raw, name), _ADDRESS).value or 0
    return ctypes.PYFUNCTYPE(_INTEGER, *arguments)(address)
