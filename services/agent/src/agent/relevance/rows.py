"""What names a row tells it from the others of its table, which sentence vectors and small readers hardly do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agent.questions.question import Question
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored
from agent.text.ranges import Range, amount, ranges, within
from agent.text.sentences import cells
from agent.text.words import form_set, with_amounts

_LABEL = re.compile(r"(?P<name>[^\n:]{1,40}(?::\d\d[^\n:]{0,20})?): \S")
"""What an item is about, which may be an hour."""
_CURRENCY = r"(?:[$€£¥] ?|\b(?:EUR|USD|GBP|CHF) )"
_UNIT = r"(?: ?(?:[€$£¥]|(?:euros?|dollars?|pounds?|EUR|USD|GBP|CHF)\b))"


def named_rows_first(question: Question, ranked: Sequence[Scored]) -> list[Scored]:
    """The passages in their order, but of a table a row that is named by all words of the question that name another
    one, and by more, and lacks none of the words that this one has in any cell, comes before that: they change
    places, and scores. "Team" is asked for, and not "Starter"."""
    tables: dict[tuple[int, object], list[int]] = {}
    for place, one in enumerate(ranked):
        if is_named(one.passage):
            unit = one.passage.unit
            tables.setdefault((id(one.passage.hit), unit.block if unit.kind == "row" else unit.heading), []).append(
                place
            )
    ordered = list(ranked)
    for places in tables.values():
        for place, row in zip(places, _by_names(question, [ranked[place] for place in places]), strict=True):
            ordered[place] = replace(row, score=ranked[place].score)
    return ordered


def in_words_of_best(question: Question, ranked: Sequence[Scored]) -> str:
    """The question with the range of the best passage, where that is a row, for a number that lies in it: who reads "an
    order of up to EUR 50,000" sees which row is meant, and by "an order of 12,000 euro" hardly."""
    best = ranked[0].passage if ranked else None
    if best is None or best.unit.kind != "row":
        return question.text
    cell = _naming_cell(best)
    named = ranges(cell)
    for term in question.terms:
        if within(term.value, named):
            figure = re.compile(rf"{_CURRENCY}?\b{re.escape(term.value)}\b{_UNIT}?", re.IGNORECASE)
            return figure.sub(lambda _: cell.strip(), with_amounts(question.text), count=1)
    return question.text


def _by_names(question: Question, rows: list[Scored]) -> list[Scored]:
    brackets = _brackets(question, [_naming_cell(row.passage) for row in rows])
    left = [
        (row, _names(question, row.passage) | numbers, _holds(question, row.passage) | numbers)
        for row, numbers in zip(rows, brackets, strict=True)
    ]
    ordered: list[Scored] = []
    while left:
        at = next(
            at
            for at, (_, names, holds) in enumerate(left)
            if not any(names < others and holds <= all_others for _, others, all_others in left)
        )
        ordered.append(left.pop(at)[0])
    return ordered


def is_named(passage: Passage) -> bool:
    """Whether a passage is a row, or an item of a list that says first what it is about: "Monday: no training"."""
    return passage.unit.kind == "row" or (passage.unit.kind == "item" and _LABEL.match(passage.text) is not None)


def naming_ranges(row: Passage) -> list[Range]:
    """The ranges in the cell that names a row, or in an item's name."""
    return ranges(_naming_cell(row))


def _naming_cell(row: Passage) -> str:
    """The cell that names a row: its first one with a letter, as what stands before that counts or numbers the rows.
    Further cells say something of what is named."""
    if label := _LABEL.match(row.text) if row.unit.kind == "item" else None:
        return label["name"]
    return next((cell for cell in cells(row.text) if any(map(str.isalpha, cell))), "")


def _brackets(question: Question, naming: Sequence[str]) -> list[frozenset[str]]:
    """For each row the question's numbers that lie in its range, and in no narrower one of another row: of "up to
    5,000" and "up to 50,000" the second is meant by 12,000, and the first by 80; of open ones the higher."""
    named = [ranges(cell) for cell in naming]
    found: list[set[str]] = [set() for _ in naming]
    for term in question.terms:
        fits = [
            (min((high - low, -low) for low, high in those if low <= value <= high), at)
            for value in (amount(term.value),)
            for at, those in enumerate(named)
            if within(term.value, those)
        ]
        narrowest = min(fits, default=None)
        for size, at in fits:
            if narrowest is not None and size == narrowest[0]:
                found[at].add(term.text)
    return [frozenset(one) for one in found]


def _names(question: Question, row: Passage) -> frozenset[str]:
    """The words of the question's subject in the cell that names a row, or in the name of its column."""
    named = form_set(_naming_cell(row)) | _column_forms(row)
    return frozenset(term.text for term in question.focus if not term.exact.isdisjoint(named))


def _holds(question: Question, row: Passage) -> frozenset[str]:
    """The words of the question's subject in any of its cells, or in the name of the column that names it."""
    held = row.forms | _column_forms(row)
    return frozenset(term.text for term in question.focus if not term.exact.isdisjoint(held))


def _column_forms(row: Passage) -> frozenset[str]:
    """The words that all rows are named by: of "Order value", "Orders up to 40" and "Above 40" are both orders."""
    parts, labels = cells(row.text) if row.unit.kind == "row" else [], row.labels
    if len(parts) != len(labels):
        return frozenset()
    return form_set(next((label for label, cell in zip(labels, parts, strict=True) if any(map(str.isalpha, cell))), ""))
