"""Where a PDF page's characters stand, asked of PDFium: the inner loop of parsing.

PDFium answers one character at a time and through pypdfium2's checked signatures a call costs 1.3 µs; with arguments
that need no conversion it costs 0.15 µs. So the calls here are few and bare, and their answers are collected in arrays
whose places are made once. All pages share them: one page is asked at a time, as PDFium demands anyway.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from itertools import repeat
from math import isfinite
from typing import Any, NamedTuple

from pypdfium2 import PdfTextPage, raw

_ROOM = 512
"""Answers that are collected before they are taken over; making an array for each question would cost more than it."""


class _Slots(NamedTuple):
    """Arrays for answers, and references to their places."""

    floats: Any
    boxes: list[Any]
    """For four floats each."""
    doubles: Any
    lefts: list[Any]
    rights: list[Any]
    unused: Any


class Glyphs:
    """The characters of one page, by their position in its text; valid while the text page is open."""

    def __init__(self, page: PdfTextPage, text: str) -> None:
        self._text_page = page.raw
        self._page = repeat(ctypes.c_void_p(ctypes.cast(page.raw, ctypes.c_void_p).value))
        self._mapped = len(text) != page.count_chars()
        self._pairs = [place for place, letter in enumerate(text) if letter > "\uffff"] if self._mapped else []
        self._slots = _slots()
        self._box, self._rectangle = _bare("FPDFText_GetLooseCharBox"), _bare("FPDFText_GetRect")
        self._count, self._text_index = _bare("FPDFText_CountRects"), _bare("FPDFText_GetCharIndexFromTextIndex")

    def boxes(self, positions: Sequence[int]) -> list[float]:
        """left, top, right, bottom of each character in turn, flat, in points.

        They are the font's boxes, not the letters', so that lines of one size are equally high.
        """
        places: list[float] = []
        floats, boxes = self._slots.floats, self._slots.boxes
        for first in range(0, len(positions), _ROOM):
            some = positions[first : first + _ROOM]
            indices = map(self._index, some) if self._mapped else some
            list(map(self._box, self._page, indices, boxes))
            places += floats[: 4 * len(some)]
        # Places that are no numbers, as a file may ask for, would spread through every comparison.
        return places if isfinite(sum(places)) else [place if isfinite(place) else 0.0 for place in places]

    def runs(self, start: int, end: int) -> list[tuple[float, float]]:
        """Left and right edges of what was drawn as one piece of text; nothing where that is the whole."""
        if self._mapped:
            start, end = self._index(start), self._index(end - 1) + 1
        page = self._page
        count = self._count(next(page), start, end - start)
        if count < 2:
            return []
        _, _, doubles, lefts, rights, unused = self._slots
        edges: list[float] = []
        for first in range(0, count, _ROOM):
            numbers = range(first, min(first + _ROOM, count))
            list(map(self._rectangle, page, numbers, lefts, unused, rights, unused))
            edges += doubles[: 2 * len(numbers)]
        return list(zip(edges[::2], edges[1::2], strict=True))

    def angle(self, position: int) -> float:
        """The direction of writing at a character, clockwise, in radians."""
        return float(raw.FPDFText_GetCharAngle(self._text_page, self._index(position)))

    def _index(self, position: int) -> int:
        """PDFium's own number of a character: it counts in UTF-16, and has some characters that are not in the text."""
        if not self._mapped:
            return position
        units = position + bisect_left(self._pairs, position)
        return self._text_index(next(self._page), units)


@cache
def _bare(name: str) -> Callable[..., int]:
    """A function of PDFium without the conversions of arguments that the bindings put before it.

    Python's integers are passed as C's `int`, so that an address must be given as an object of ctypes.
    """
    return ctypes.PYFUNCTYPE(ctypes.c_int)(ctypes.cast(getattr(raw, name), ctypes.c_void_p).value or 0)


@cache
def _slots() -> _Slots:
    floats, doubles = (ctypes.c_float * (4 * _ROOM))(), (ctypes.c_double * (2 * _ROOM + 1))()
    boxes = [ctypes.byref(floats, 16 * place) for place in range(_ROOM)]
    lefts, rights = ([ctypes.byref(doubles, 16 * place + by) for place in range(_ROOM)] for by in (0, 8))
    return _Slots(floats, boxes, doubles, lefts, rights, repeat(ctypes.byref(doubles, 16 * _ROOM)))
