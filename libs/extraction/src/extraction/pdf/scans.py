"""Pages that are pictures of text: told by an image that covers most of them while they have next to no text."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from pypdfium2 import PdfPage, raw

STAMP_CHARS = 40
"""A scanned page may still bear a number or a stamp of this many characters as text."""
COVERED = 0.5
"""The images of a scan cover this share of its page; scanners that cut a page into strips make several."""
MOST_OBJECTS = 2000
"""Objects of a page that are looked at."""


def is_scan(page: PdfPage, chars: int) -> bool:
    """Whether a page with so many characters of text, blanks not counted, is a picture."""
    if chars > STAMP_CHARS:
        return False
    left, bottom, right, top = page.get_bbox()
    covered = 0.0
    for image_left, image_bottom, image_right, image_top in _images(page):
        width = min(right, image_right) - max(left, image_left)
        height = min(top, image_top) - max(bottom, image_bottom)
        covered += max(width, 0.0) * max(height, 0.0)
    return covered > 0 and covered >= COVERED * (right - left) * (top - bottom)


def _images(page: PdfPage) -> Iterator[tuple[float, ...]]:
    """left, bottom, right, top of what is an image or holds one."""
    for number in range(min(raw.FPDFPage_CountObjects(page), MOST_OBJECTS)):
        item = raw.FPDFPage_GetObject(page, number)
        if item and _holds_image(item):
            edges = [ctypes.c_float() for _ in range(4)]
            if raw.FPDFPageObj_GetBounds(item, *edges):
                yield tuple(edge.value for edge in edges)


def _holds_image(item: Any, depth: int = 3) -> bool:
    kind = raw.FPDFPageObj_GetType(item)
    if kind != raw.FPDF_PAGEOBJ_FORM or not depth:
        return bool(kind == raw.FPDF_PAGEOBJ_IMAGE)
    inner = range(min(raw.FPDFFormObj_CountObjects(item), 20))
    return any(_holds_image(raw.FPDFFormObj_GetObject(item, number), depth - 1) for number in inner)
