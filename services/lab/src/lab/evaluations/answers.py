"""The answers of an evaluation as lists: in the order of the questions, the worst first, or beside those of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, Select, and_, or_, select

from contracts.core.pages import Page
from contracts.improvement.evaluations import EvaluationAnswer, GivenAnswer
from contracts.improvement.question_sets import QuestionRecord
from lab.evaluations.comparison import LOWER_IS_BETTER, SMALLEST_DIFFERENCE
from lab.evaluations.repository import read_row
from lab.questions.repository import Viewer
from lab.safety.suites import read_questions
from lab.tables import ANSWERS
from servicekit.core.cursors import decode_cursor, encode_cursor

OTHER = ANSWERS.alias("other")
GIVEN = tuple(GivenAnswer.model_fields)
RANK = "rank"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answers, and in which order."""

    evaluation_id: str
    other_id: str | None = None
    """Beside whose answers; only questions that both were asked."""
    measure: str | None = None
    """By which the worst come first; beside another's, only those that are worse, by the most first."""


def list_answers(
    connection: Connection, viewer: Viewer, wanted: Wanted, limit: int, cursor: str | None
) -> Page[EvaluationAnswer]:
    """A page of them, each with what the set says of its question; raises `EvaluationNotFound`."""
    evaluation = read_row(connection, viewer, wanted.evaluation_id)
    if wanted.other_id is not None:
        read_row(connection, viewer, wanted.other_id)
    rows = connection.execute(_page(wanted, cursor).limit(limit + 1)).mappings().all()
    following = _cursor(rows[limit - 1], wanted) if len(rows) > limit else None
    of = (viewer.tenant, evaluation["question_set"], evaluation["version"])
    known = read_questions(connection, *of, [row["question_id"] for row in rows[:limit]])
    data = [_answer(row, known, beside=wanted.other_id is not None) for row in rows[:limit]]
    return Page[EvaluationAnswer](data=data, next_cursor=following)


def _page(wanted: Wanted, cursor: str | None) -> Select[Any]:
    query = select(ANSWERS).where(ANSWERS.c.evaluation_id == wanted.evaluation_id)
    if wanted.other_id is not None:
        same = and_(OTHER.c.evaluation_id == wanted.other_id, OTHER.c.question_id == ANSWERS.c.question_id)
        query = query.add_columns(*(OTHER.c[name].label(f"other_{name}") for name in GIVEN)).join(OTHER, same)
    if wanted.measure is None:
        if cursor is not None:
            query = query.where(ANSWERS.c.number > decode_cursor(cursor, int)[0])
        return query.order_by(ANSWERS.c.number)
    rank = _rank(wanted.measure, beside=wanted.other_id is not None)
    query = query.add_columns(rank.label(RANK)).where(rank.is_not(None))
    if wanted.other_id is not None:
        query = query.where(rank < -SMALLEST_DIFFERENCE)
    if cursor is not None:
        value, number = decode_cursor(cursor, float, int)
        query = query.where(or_(rank > value, and_(rank == value, ANSWERS.c.number > number)))
    return query.order_by(rank, ANSWERS.c.number)


def _rank(measure: str, *, beside: bool) -> ColumnElement[float]:
    """Less is worse; null where a question does not have the measure."""

    def value(table: FromClause) -> ColumnElement[float]:
        found: ColumnElement[float] = table.c.figures[measure].as_float()
        return found

    rank = value(ANSWERS) - value(OTHER) if beside else value(ANSWERS)
    return -rank if measure in LOWER_IS_BETTER else rank


def _cursor(row: RowMapping, wanted: Wanted) -> str:
    return encode_cursor(row["number"]) if wanted.measure is None else encode_cursor(float(row[RANK]), row["number"])


def _answer(row: RowMapping, known: Mapping[str, QuestionRecord], *, beside: bool) -> EvaluationAnswer:
    other = {name: row[f"other_{name}"] for name in GIVEN} if beside else None
    return EvaluationAnswer.model_validate({**row, "known": known.get(row["question_id"]), "other": other})
