"""Where characters of an extracted text stand on their PDF page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pypdfium2 import PdfTextPage

from extraction.pdf.glyphs import Glyphs
from extraction.pictures.matching import Span, Word, drawn_words, match_words, written_words

GAP = 1.5
"""Words of a line that are further apart than so many times its height have a box each: they are a row's cells."""


class Box(NamedTuple):
    """A rectangle in points, y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def takes(self, other: Box) -> bool:
        """Whether another stands beside it on its line."""
        height = min(self.top - self.bottom, other.top - other.bottom)
        level = min(self.top, other.top) - max(self.bottom, other.bottom) >= height / 2
        return level and max(other.left - self.right, self.left - other.right) <= GAP * height

    def joined(self, other: Box) -> Box:
        """The rectangle around both."""
        lows = min(self.left, other.left), min(self.bottom, other.bottom)
        return Box(*lows, max(self.right, other.right), max(self.top, other.top))


class PagePlaces:
    """The places of one page's text; valid while the text page is open."""

    def __init__(self, page: PdfTextPage, text: str, blocks: Iterable[Span]) -> None:
        """`blocks` are the parts of `text` that were read on this page, in order."""
        own = page.get_text_range()
        self._glyphs = Glyphs(page, own)
        self._drawn = drawn_words(own)
        self._written = written_words(text, blocks)
        boxes = self._glyphs.boxes([word.start for word in self._drawn])
        at = [
            (left, (top + bottom) / 2) for left, top, bottom in zip(boxes[::4], boxes[1::4], boxes[3::4], strict=True)
        ]
        self._numbers = match_words(self._written, self._drawn, at)

    def boxes(self, span: Span) -> list[Box]:
        """What of the characters `start..end` stands on the page, one box for what stands together on a line."""
        start, end = span
        boxes: list[Box] = []
        for word, numbers in zip(self._written, self._numbers, strict=True):
            if word.start < end and word.end > start:
                for number in numbers:
                    box = self._box(word, self._drawn[number], span)
                    if boxes and boxes[-1].takes(box):
                        boxes[-1] = boxes[-1].joined(box)
                    else:
                        boxes.append(box)
        return boxes

    def _box(self, word: Word, drawn: Word, span: Span) -> Box:
        """What of a word is within the span; all of it where it was drawn with other letters, or in two halves."""
        first, last = drawn.start, drawn.end
        if word.end - word.start == last - first:
            first, last = first + max(0, span[0] - word.start), last - max(0, word.end - span[1])
        places = self._glyphs.boxes(range(first, last))
        lefts, tops, rights, bottoms = (places[at::4] for at in range(4))
        return Box(min(lefts), min(bottoms), max(rights), max(tops))
