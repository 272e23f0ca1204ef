"""Answers that wait for their judge: what a judge that is away, or a worker that dies meanwhile, must not make paid
again. Functions run on one connection, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, insert, select

from contracts.core.errors import ErrorBody
from contracts.improvement.question_sets import QuestionRecord
from lab.evaluations.judging.rubric import Judged, Verdict
from lab.evaluations.rows import answer_row
from lab.evaluations.target import Answered
from lab.tables import UNJUDGED

_ANSWERED = TypeAdapter(Answered)
NOT_ASKED = ErrorBody(
    type="internal", code="ended_before_verdict", message="The evaluation ended before there was a verdict."
)
Unjudged = dict[int, tuple[Answered, int]]
"""By the question's number: its answer, and how often it was asked."""


def read_unjudged(connection: Connection, evaluation_id: str) -> Unjudged:
    """All of an evaluation."""
    rows = connection.execute(select(UNJUDGED).where(UNJUDGED.c.evaluation_id == evaluation_id))
    return {row.number: (_ANSWERED.validate_python(row.answered), row.tries) for row in rows}


def write_unjudged(connection: Connection, evaluation_id: str, number: int, answered: Answered, tries: int) -> None:
    """Keep one."""
    kept = _ANSWERED.dump_python(answered, mode="json")
    row = {"evaluation_id": evaluation_id, "number": number, "answered": kept, "tries": tries}
    connection.execute(insert(UNJUDGED).values(**row))


def unjudged_rows(
    evaluation: Mapping[str, Any], questions: Iterable[tuple[int, QuestionRecord]], unjudged: Unjudged
) -> list[dict[str, Any]]:
    """Those of an evaluation that ends as its answers, at which the judge failed."""
    found = []
    for number, question in questions:
        if number in unjudged:
            answered, tries = unjudged[number]
            ended = replace(answered, judged=Judged(Verdict(None, error=NOT_ASKED)))
            found.append(answer_row(evaluation, number, question, ended, tries))
    return found


def delete_unjudged(connection: Connection, evaluation_id: str, number: int | None = None) -> None:
    """One that is judged; without a number all, of an evaluation that has ended."""
    which = UNJUDGED.c.evaluation_id == evaluation_id
    connection.execute(delete(UNJUDGED).where(which if number is None else which & (UNJUDGED.c.number == number)))
