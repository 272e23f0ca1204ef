"""Splitting a span of text that is too long: at the best boundary there is, never inside a word if it can be helped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from extraction.chunking.tokens import Measure

Span = tuple[int, int]
Boundary = Literal["paragraph", "line", "sentence", "word"]

_AFTER: dict[Boundary, re.Pattern[str]] = {
    "paragraph": re.compile(r"\n[ \t]*\n\s*"),
    "line": re.compile(r"\n\s*"),
    "sentence": re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[^\sa-z])|(?<=[。！？])[”’」』)]*\s*"),
}


def pieces(measure: Measure, span: Span, budget: int, boundaries: Sequence[Boundary]) -> Iterator[Span]:
    """The parts of `span`, in order, none above `budget` tokens, cut at the first boundaries that suffice."""
    span = trimmed(measure.text, span)
    if span[0] >= span[1]:
        return
    if measure.size(*span) <= budget:
        yield span
    elif not boundaries or boundaries[0] == "word":
        yield from windows(measure, span, budget)
    else:
        for part in parted(measure.text, span, boundaries[0]):
            yield from pieces(measure, part, budget, boundaries[1:])


def parted(text: str, span: Span, boundary: Boundary) -> Iterator[Span]:
    """`span` cut at every boundary of a kind, without the white space around it."""
    start, end = span
    for match in _AFTER[boundary].finditer(text, start, end):
        part = trimmed(text, (start, match.end()))
        if part[0] < part[1]:
            yield part
        start = match.end()
    last = trimmed(text, (start, end))
    if last[0] < last[1]:
        yield last


def windows(measure: Measure, span: Span, budget: int) -> Iterator[Span]:
    """`span` in windows of up to `budget` tokens that end at white space, or anywhere if there is none."""
    start, end = span
    while start < end:
        stop = measure.reach(start, budget, end)
        if stop < end:
            stop = _word_end(measure.text, start, stop)
        part = trimmed(measure.text, (start, stop))
        if part[0] < part[1]:
            yield part
        start = stop


def trimmed(text: str, span: Span) -> Span:
    """`span` without white space at its ends; empty if it has nothing else."""
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _word_end(text: str, start: int, stop: int) -> int:
    """The last place at or before `stop` where no word is cut, or `stop` if a word fills the window."""
    if text[stop].isspace():
        return stop
    for position in range(stop, start, -1):
        if text[position - 1].isspace():
            return position
    return stop
