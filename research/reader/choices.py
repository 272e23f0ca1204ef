"""Questions on our own texts beside several passages of their document, of which one answers or none does."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.text.sentences import split
from research.reader.examples import CHARACTERS, Example, under, window, without
from research.reader.sources import is_held_out

OTHERS = 3
"""Passages beside the one that answers."""
TAKEN_OUT = 0.35
"""How often the last of them is the text itself without its answer."""
ASKED_IN_VAIN = 2
"""How often an epoch asks what is not answered."""
STRANGE = 0.15
"""How often passages of another document are among them."""
Row = Mapping[str, Any]


class Choices:
    """What is learnt from `rows`, sections as `research.reader.sources.ours` gives them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = [row for row in rows if not is_held_out(row["text"])]
        self._documents: dict[str, list[Row]] = {}
        for row in self._rows:
            self._documents.setdefault(row["title"], []).append(row)

    def epoch(self, number: int) -> list[list[Example]]:
        """Shuffled. The first passage of a group answers, unless its question is answered nowhere."""
        chance = random.Random(f"choices {number}")
        made = [self._answered(row, one, chance) for row in self._rows for one in row["questions"]]
        for row in self._rows:
            made += [self._in_vain(row, one, chance) for one in row["unanswerable"] for _ in range(ASKED_IN_VAIN)]
        chance.shuffle(made)
        return made

    def _answered(self, row: Row, asked: Mapping[str, str], chance: random.Random) -> list[Example]:
        question, answer = asked["q"], asked["a"]
        start = row["text"].index(answer)
        plain, at = window(row["text"], (start, start + len(answer)), chance)
        passage, span = under(heading(row), plain, (start - at, start - at + len(answer)), chance)
        others = self._others(row, question, answer, chance)[:OTHERS]
        cut = without(row["text"], [answer]) if chance.random() < TAKEN_OUT else ""
        if cut and answer.lower() not in cut.lower():
            others[OTHERS - 1 :] = [(row, window(cut, None, chance)[0])]
        return [
            Example(question, passage, answers=True, span=span),
            *(_miss(question, other, text, chance) for other, text in others),
        ]

    def _in_vain(self, row: Row, question: str, chance: random.Random) -> list[Example]:
        made = [_miss(question, row, window(row["text"], None, chance)[0], chance)]
        if chance.random() < 0.5:
            made += [_miss(question, *one, chance) for one in self._others(row, question, None, chance)[:1]]
        return made

    def _others(self, row: Row, question: str, answer: str | None, chance: random.Random) -> list[tuple[Row, str]]:
        """Passages without the answer, by words shared with the question and by chance, the likest first."""
        beside = [one for one in self._documents[row["title"]] if one is not row]
        if len(beside) < 2 or chance.random() < STRANGE:
            beside.append(chance.choice(self._rows))
        found = [(one, text) for one in beside for text in passages(one["text"])]
        asked = _words(question)
        likeness = {id(one): len(asked & _words(one[1])) + 2 * chance.random() for one in found}
        if answer is not None:
            of_own = [(row, text) for text in passages(row["text"])]
            likeness |= {id(one): 3 * chance.random() for one in of_own}
            found = [one for one in (*found, *of_own) if answer.lower() not in one[1].lower()]
        return sorted(found, key=lambda one: -likeness[id(one)])


def passages(text: str) -> Iterator[str]:
    """Neighbouring sentences of at most `CHARACTERS`, all of them."""
    units = [(unit.start, unit.end) for unit in split(text)] or [(0, len(text))]
    start, end = units[0]
    for first, last in units[1:]:
        if last - start > CHARACTERS:
            yield text[start:end]
            start = first
        end = last
    yield text[start:end]


def _miss(question: str, row: Row, text: str, chance: random.Random) -> Example:
    return Example(question, under(heading(row), text, None, chance)[0], answers=False)


def heading(row: Row) -> str:
    """What a passage of it stands under."""
    return f"{row['title']}\n{row['heading']}"


def _words(text: str) -> set[str]:
    return {word.lower().strip("?.,") for word in text.split() if len(word) > 3}
