"""Packing consecutive pieces into chunks: as few as fit, of about the same size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from extraction.chunking.splitter import Span, trimmed
from extraction.chunking.tokens import Measure


def packed(measure: Measure, parts: Sequence[Span], budget: int) -> list[Span]:
    """Runs of consecutive parts, none above `budget` tokens (each part alone is not), of about equal size."""
    if not parts:
        return []
    total = measure.size(parts[0][0], parts[-1][1])
    even = total / -(-total // budget)
    chunks: list[Span] = []
    start, end = parts[0]
    for part in parts[1:]:
        together = measure.size(start, part[1])
        if together > budget or (measure.size(start, end) > 0.85 * even and together > 1.15 * even):
            chunks.append((start, end))
            start = part[0]
        end = part[1]
    chunks.append((start, end))
    return chunks


def overlapping(measure: Measure, chunks: Sequence[Span], overlap: int) -> list[Span]:
    """The same chunks, each but the first beginning up to `overlap` tokens earlier, at the beginning of a word."""
    if overlap <= 0:
        return list(chunks)
    result = list(chunks[:1])
    for (before, _), (start, end) in pairwise(chunks):
        earlier = measure.back(start, overlap, before + 1)
        while earlier < start and not measure.text[earlier - 1].isspace():
            earlier += 1
        result.append(trimmed(measure.text, (earlier, end)))
    return result
