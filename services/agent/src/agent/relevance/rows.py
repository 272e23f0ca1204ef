"""What names a row tells it from the others of its table, which sentence vectors and small readers hardly do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.questions.question import Question
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored
from agent.text.sentences import cells
from agent.text.words import form_set


def named_rows_first(question: Question, ranked: Sequence[Scored]) -> list[Scored]:
    """The passages in their order, but of a table a row that is named by all words of the question that name another
    one, and by more, and lacks none of the words that this one has in any cell, comes before that: they change
    places, and scores. "Team" is asked for, and not "Starter"."""
    tables: dict[tuple[int, int], list[int]] = {}
    for place, one in enumerate(ranked):
        if one.passage.unit.kind == "row":
            tables.setdefault((id(one.passage.hit), one.passage.unit.block), []).append(place)
    ordered = list(ranked)
    for places in tables.values():
        for place, row in zip(places, _by_names(question, [ranked[place] for place in places]), strict=True):
            ordered[place] = replace(row, score=ranked[place].score)
    return ordered


def _by_names(question: Question, rows: list[Scored]) -> list[Scored]:
    left = [(row, _names(question, row.passage), _holds(question, row.passage)) for row in rows]
    ordered: list[Scored] = []
    while left:
        at = next(
            at
            for at, (_, names, holds) in enumerate(left)
            if not any(names < others and holds <= all_others for _, others, all_others in left)
        )
        ordered.append(left.pop(at)[0])
    return ordered


def _names(question: Question, row: Passage) -> frozenset[str]:
    """The words of the question's subject in the cell that names a row: its first one with a letter, as what stands
    before that counts or numbers the rows. Further cells say something of what is named."""
    named = form_set(next((cell for cell in cells(row.text) if any(map(str.isalpha, cell))), ""))
    return frozenset(term.text for term in question.focus if not term.forms.isdisjoint(named))


def _holds(question: Question, row: Passage) -> frozenset[str]:
    """The words of the question's subject in any of its cells."""
    return frozenset(term.text for term in question.focus if not term.forms.isdisjoint(row.forms))
