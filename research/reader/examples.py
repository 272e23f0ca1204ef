"""What the reader is trained on, one pair of texts at a time, in windows like those that it will be asked about."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from agent.text.sentences import split

CHARACTERS = 700
"""Of the longest window, as the agent cuts them (`agent.relevance.windows`)."""
SUPPORTED, CONTRADICTED, NEITHER, UNSUPPORTED = range(4)
"""The last is either of the two before it: some sets don't tell them apart."""
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Example:
    """A question with a passage, or a sentence with a premise. What is None is not judged."""

    first: str
    second: str
    answers: bool | None = None
    span: Span | None = None
    """Characters of `second` that answer."""
    fits: bool | None = None
    """Whether the passage is about the question."""
    support: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A question on a text: of a public set, or of our own. `spans` is empty where the text does not answer."""

    question: str
    text: str
    spans: tuple[Span, ...]
    heading: str
    source: str
    by_hand: bool
    """Not constructed: an unanswerable one was written to look answerable."""

    @property
    def answers(self) -> list[str]:
        """The strings of `spans`."""
        return [self.text[start:end] for start, end in self.spans]


def window(text: str, wanted: Span | None, chance: random.Random) -> tuple[str, int]:
    """Neighbouring sentences of at most `CHARACTERS` that hold what is wanted (characters of `text`), and where they
    begin in it. A wanted span that is longer stays whole."""
    units = [(unit.start, unit.end) for unit in split(text)] or [(0, len(text))]
    if wanted is None:
        first = last = chance.randrange(len(units))
    else:
        first = max((at for at, (start, _) in enumerate(units) if start <= wanted[0]), default=0)
        last = max(first, min((at for at, (_, end) in enumerate(units) if end >= wanted[1]), default=len(units) - 1))
    most = CHARACTERS if chance.random() < 0.7 else chance.randint(120, CHARACTERS)
    ways = [-1, 1]
    while ways:
        way = chance.choice(ways)
        before, after = (first - 1, last) if way < 0 else (first, last + 1)
        if before < 0 or after >= len(units) or units[after][1] - units[before][0] > most:
            ways.remove(way)
        else:
            first, last = before, after
    return text[units[first][0] : units[last][1]], units[first][0]


def under(heading: str, passage: str, span: Span | None, chance: random.Random) -> tuple[str, Span | None]:
    """The passage below its heading, as the agent gives it, most of the time; and where the span then is."""
    if not heading or chance.random() < 0.25:
        return passage, span
    moved = len(heading) + 1
    return f"{heading}\n{passage}", None if span is None else (span[0] + moved, span[1] + moved)


def without(text: str, answers: Sequence[str]) -> str:
    """The text without each sentence that says one of the answers."""
    said = [answer.lower() for answer in answers]
    for unit in reversed(split(text)):
        if any(answer in text[unit.start : unit.end].lower() for answer in said):
            text = text[: unit.start] + text[unit.end :]
    return text.strip()


def words(text: str) -> list[str]:
    """Lists of words are easier to read as one text."""
    return text.split()
