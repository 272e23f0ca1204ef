"""A PDF page as a picture, with boxes marked in it."""

from __future__ import annotations

import ctypes
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import pypdfium2
from pypdfium2 import PdfPage, raw

from extraction.model.failures import malformed
from extraction.pdf.parser import unopened
from extraction.pictures.matching import Span
from extraction.pictures.places import Box, PagePlaces
from extraction.pictures.spans import merged

DOTS_PER_INCH = 144
MOST_PIXELS = 3_000_000
"""Of a whole picture; A4 has two million."""
LONGEST_SIDE = 8000
MOST_BOXES = 100
"""That are told of one page; all are marked."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"
FILL = (255, 224, 138)
"""What a mark makes of white; what is written on it stays as dark as it was."""
LINE = (138, 90, 0)
"""The colour of the line under a mark, by which it is told without seeing colours."""
LINE_PIXELS = 2
MARGIN = 1
"""Pixels around a box that are marked with it."""
_MULTIPLIED = [bytes(value * by // 255 for value in range(256)) for by in FILL]
Rectangle = tuple[int, int, int, int]
"""left, top, right, bottom in pixels, y downwards; right and bottom are not within."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What there is of a page."""

    pages: int
    """Of the document."""
    png: bytes | None
    """None where it has no such page."""
    boxes: list[Rectangle]
    """What is marked, the first `MOST_BOXES` of it."""


def draw_page(path: Path, number: int, text: str, blocks: Iterable[Span], spans: Sequence[Span]) -> Drawn:
    """Page `number`, from 1, of a PDF, with what stands on it of `spans` marked; raises `ParseFailed`.

    `spans` are characters of `text`, of which `blocks` were read on this page.
    """
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise unopened(error) from None
    try:
        document.init_forms()  # what was filled in is drawn, too
        pages = len(document)
        if number > pages:
            return Drawn(pages, None, [])
        page = document[number - 1]
        picture = Picture(page)
        boxes: list[Rectangle] = []
        if spans:
            own = page.get_textpage()  # which its places need to stay open
            places = PagePlaces(own, text, blocks)
            found = (picture.rectangle(page, box) for span in merged(spans) for box in places.boxes(span))
            boxes = [one for one in found if one[0] < one[2] and one[1] < one[3]]  # what lies off the page has no area
            own.close()
            picture.mark(boxes)
        return Drawn(pages, picture.png(), boxes[:MOST_BOXES])
    except pypdfium2.PdfiumError:
        raise malformed("PDF") from None
    finally:
        document.close()


class Picture:
    """Red, green and blue of each pixel, row by row."""

    def __init__(self, page: PdfPage) -> None:
        """Raises `ParseFailed` for a page without a size; `MemoryError` where there is too little."""
        width, height = page.get_size()
        if not (isfinite(width * height) and width > 0 and height > 0):
            raise malformed("PDF")
        scale = min(DOTS_PER_INCH / 72, (MOST_PIXELS / (width * height)) ** 0.5, LONGEST_SIDE / max(width, height))
        bitmap = page.render(scale=scale, rev_byteorder=True)
        try:
            self.width, self.height = bitmap.width, bitmap.height
            self._pixels = bytearray(bitmap.buffer)
        finally:
            bitmap.close()

    def rectangle(self, page: PdfPage, box: Box) -> Rectangle:
        """Where a box of the page stands in the picture."""
        across, down = ctypes.c_int(), ctypes.c_int()
        corners: list[tuple[int, int]] = []
        for x, y in ((box.left, box.bottom), (box.right, box.top)):
            raw.FPDF_PageToDevice(page.raw, 0, 0, self.width, self.height, 0, x, y, across, down)
            corners.append((across.value, down.value))
        (left, right), (top, bottom) = (sorted(corner[side] for corner in corners) for side in (0, 1))
        return (
            _within(left - MARGIN, self.width),
            _within(top - MARGIN, self.height),
            _within(right + MARGIN, self.width),
            _within(bottom + MARGIN, self.height),
        )

    def mark(self, rectangles: Sequence[Rectangle]) -> None:
        """Colour these, each pixel once, and draw a line under each."""
        pixels = self._pixels
        of_rows: dict[int, list[Span]] = {}
        for left, top, right, bottom in rectangles:
            for row in range(top, bottom):
                of_rows.setdefault(row, []).append((left, right))
        for row, stretches in of_rows.items():
            for left, right in merged(stretches):
                start, end = 3 * (row * self.width + left), 3 * (row * self.width + right)
                for channel, table in enumerate(_MULTIPLIED):
                    some = slice(start + channel, end, 3)
                    pixels[some] = pixels[some].translate(table)
        for left, top, right, bottom in rectangles:
            for row in range(max(top, bottom - LINE_PIXELS), bottom):
                start = 3 * (row * self.width + left)
                pixels[start : start + 3 * (right - left)] = bytes(LINE) * (right - left)

    def png(self) -> bytes:
        """The picture as a PNG file."""
        size = 3 * self.width
        rows = (b"\0" + self._pixels[at : at + size] for at in range(0, size * self.height, size))
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows), 5)), (b"IEND", b""))
        return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _within(place: int, length: int) -> int:
    return min(max(place, 0), length)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
