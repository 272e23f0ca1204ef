"""The pieces of the sources that a reading model reads: the best passages, each with what stands around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored

_LETTER = r"[0-9A-Za-z\u00c0-\u024f\u0370-\u052f]"
"""Of scripts that part words by spaces, and digits: Latin, Greek, Cyrillic."""
CHARACTERS = 700
"""Of one window: with a question and a heading it fits into the 256 tokens that small models read at once."""


@dataclass(frozen=True)
class Window:
    """Neighbouring passages of one hit as one text, under its title and heading."""

    passages: tuple[Passage, ...]

    @property
    def start(self) -> int:
        """Where it begins in the hit's text."""
        return self.passages[0].unit.start

    @property
    def heading(self) -> str:
        """What it stands under: title, nearest heading, and column names that are not in it."""
        first = self.passages[0]
        header = first.unit.header
        apart = first.columns or (header is not None and header[0] < self.start)
        labels = " | ".join(first.labels) if apart else ""
        return "\n".join(dict.fromkeys(line for line in (first.hit.title, first.heading, labels) if line))

    @property
    def text(self) -> str:
        """The exact characters of the hit from its first to its last passage, below the heading."""
        return f"{self.heading}\n{self.passages[0].hit.text[self.start : self.passages[-1].unit.end]}"

    def passage_at(self, start: int, end: int) -> Passage | None:
        """The passage that has most of the characters [start, end) of `text`; None if they are of the heading."""
        moved = self.start - len(self.heading) - 1
        shared = [
            min(end + moved, passage.unit.end) - max(start + moved, passage.unit.start) for passage in self.passages
        ]
        most = max(shared)
        return self.passages[shared.index(most)] if most > 0 else None

    def repeated(self, start: int, end: int) -> list[tuple[int, int]]:
        """Where `text` has what it has at [start, end), as whole words: "4 percent" may stand in several rows."""
        written = re.escape(self.text[start:end])
        begin, ends = rf"(?<!{_LETTER})(?<!\d[.,])", rf"(?!{_LETTER})(?![.,]\d)"
        return [match.span() for match in re.finditer(f"{begin}{written}{ends}", self.text)]

    def passages_of(self, start: int, end: int) -> list[Passage]:
        """The passages of which the characters [start, end) of `text` have a third, or that have half of these: a quote
        may begin in the middle of a sentence, or have the first word of the next one."""
        moved = self.start - len(self.heading) - 1
        quoted = []
        for passage in self.passages:
            first, last = passage.unit.start, passage.unit.end
            shared = min(end + moved, last) - max(start + moved, first)
            if shared > 0 and (3 * shared >= last - first or 2 * shared >= end - start):
                quoted.append(passage)
        return quoted


def windows(ranked: Sequence[Scored], found: Sequence[Passage], most: int) -> list[Window]:
    """At most so many, that of the best passage first; a passage is in one only. `found` is in document order."""
    places = {id(passage): at for at, passage in enumerate(found)}
    taken: set[int] = set()
    made: list[Window] = []
    for one in ranked:
        at = places.get(id(one.passage))
        if len(made) >= most:
            break
        if at is not None and at not in taken:
            first, last = _around(at, found, taken)
            taken.update(range(first, last + 1))
            made.append(Window(tuple(found[first : last + 1])))
    return made


def _around(at: int, found: Sequence[Passage], taken: set[int]) -> tuple[int, int]:
    """The first and last place of a window: it grows by a passage after and one before while there is room."""
    first = last = at
    growing = [1, -1]
    while growing:
        step = growing.pop(0)
        beside = last + 1 if step > 0 else first - 1
        if beside in taken or not 0 <= beside < len(found) or found[beside].hit is not found[at].hit:
            continue
        begin, end = min(first, beside), max(last, beside)
        if found[end].unit.end - found[begin].unit.start > CHARACTERS:
            continue
        first, last = begin, end
        growing.append(step)
    return first, last
