"""Evaluations in SQL. All functions run on one connection, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select

from contracts.access.delegation import Spent
from contracts.core.pages import Page
from contracts.improvement.evaluations import FINAL_EVALUATION_STATUSES, Evaluation, EvaluationCreate
from contracts.improvement.question_sets import QuestionSet
from contracts.improvement.sweeps import TrialPart
from lab.errors import EvaluationNotFound, EvaluationOfTrial, EvaluationUnfinished, TooManyEvaluations
from lab.evaluations.figures import Measured
from lab.evaluations.judging.judge import judge_row
from lab.questions.repository import Viewer
from lab.tables import ANSWERS, EVALUATIONS, UNJUDGED
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.identifiers import new_id
from servicekit.jobs.tables import JobOwner, is_live

NANO = Decimal(10**9)
COLUMNS = EVALUATIONS.c


@dataclass(frozen=True, slots=True)
class TrialPlace:
    """Whose evaluation it is, of which of its combinations, and on which part of the questions."""

    trial_id: str
    combination: int
    part: TrialPart


def create_evaluation(
    connection: Connection,
    owner: JobOwner,
    wanted: EvaluationCreate,
    questions: QuestionSet,
    count: int,
    now: datetime,
    place: TrialPlace | None = None,
) -> str:
    """Queue one; its id."""
    evaluation_id = new_id("eval")
    row = {
        "id": evaluation_id,
        **owner.queued(now),
        "created_at": now,
        "name": wanted.name,
        "question_set": questions.name,
        "version": questions.version,
        "split": wanted.split,
        "target": wanted.target.model_dump(mode="json", exclude_unset=True),
        "measures": wanted.measures,
        "judge": None if wanted.judge is None else judge_row(wanted.judge),
        "budget_nano_usd": None if wanted.budget_usd is None else int(wanted.budget_usd * NANO),
        "questions": count,
        "figures": {},
        "trial_id": None if place is None else place.trial_id,
        "combination": None if place is None else place.combination,
        "part": None if place is None else place.part,
    }
    connection.execute(insert(EVALUATIONS).values(**row))
    return evaluation_id


def check_room(connection: Connection, tenant: str, most: int) -> None:
    """Raise `TooManyEvaluations` where as many are queued or at work as may be."""
    live = select(func.count()).select_from(EVALUATIONS).where(COLUMNS.tenant == tenant, is_live(COLUMNS))
    if connection.execute(live).scalar_one() >= most:
        raise TooManyEvaluations(most)


def get_evaluation(connection: Connection, viewer: Viewer, evaluation_id: str) -> Evaluation:
    """One; raises `EvaluationNotFound`."""
    return _shown(read_row(connection, viewer, evaluation_id))


def list_evaluations(
    connection: Connection, viewer: Viewer, limit: int, cursor: str | None, question_set: str | None, status: str | None
) -> Page[Evaluation]:
    """Newest first, without those of sweeps."""
    query = _seen(viewer).where(COLUMNS.trial_id.is_(None))
    if question_set is not None:
        query = query.where(COLUMNS.question_set == question_set)
    if status is not None:
        query = query.where(COLUMNS.status == status)
    if cursor is not None:
        query = query.where(COLUMNS.id < decode_cursor(cursor, str)[0])
    rows = connection.execute(query.order_by(COLUMNS.id.desc()).limit(limit + 1)).mappings().all()
    following = encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page[Evaluation](data=[_shown(row, by_label=False) for row in rows[:limit]], next_cursor=following)


def measured_by_question(connection: Connection, viewer: Viewer, evaluation_id: str) -> dict[str, Measured]:
    """Labels and figures of the questions that were asked, by their ids; raises `EvaluationNotFound`."""
    read_row(connection, viewer, evaluation_id)
    asked = ANSWERS.c.evaluation_id == evaluation_id
    query = select(ANSWERS.c.question_id, ANSWERS.c.labels, ANSWERS.c.figures).where(asked)
    return {row.question_id: (row.labels, row.figures) for row in connection.execute(query)}


def delete_evaluation(connection: Connection, viewer: Viewer, evaluation_id: str) -> None:
    """One that has ended, with its answers; raises `EvaluationNotFound`, `EvaluationOfTrial` or
    `EvaluationUnfinished`."""
    row = read_row(connection, viewer, evaluation_id)
    if row["trial_id"] is not None:
        raise EvaluationOfTrial(evaluation_id, row["trial_id"])
    if row["status"] not in FINAL_EVALUATION_STATUSES:
        raise EvaluationUnfinished(evaluation_id)
    for table in (ANSWERS, UNJUDGED):
        connection.execute(delete(table).where(table.c.evaluation_id == evaluation_id))
    connection.execute(delete(EVALUATIONS).where(COLUMNS.id == evaluation_id))


def delete_tenant(connection: Connection, tenant: str) -> None:
    """Remove all that a tenant has; what is at work finds its row gone."""
    ids = select(COLUMNS.id).where(COLUMNS.tenant == tenant)
    for table in (ANSWERS, UNJUDGED):
        connection.execute(delete(table).where(table.c.evaluation_id.in_(ids)))
    connection.execute(delete(EVALUATIONS).where(COLUMNS.tenant == tenant))


def _seen(viewer: Viewer) -> Select[Any]:
    query = select(EVALUATIONS).where(COLUMNS.tenant == viewer.tenant)
    return query.where(COLUMNS.grant_key_id == viewer.key_id) if viewer.limited else query


def read_row(connection: Connection, viewer: Viewer, evaluation_id: str) -> RowMapping:
    """As it is stored; raises `EvaluationNotFound`."""
    row = connection.execute(_seen(viewer).where(COLUMNS.id == evaluation_id)).mappings().one_or_none()
    if row is None:
        raise EvaluationNotFound(evaluation_id)
    return row


def _shown(row: Mapping[str, Any] | RowMapping, *, by_label: bool = True) -> Evaluation:
    spent = Spent.model_validate(row["spent"]) if row["spent"] else None
    figures = row["figures"]
    used: dict[str, Any] = {}
    if spent is not None:
        used = spent.model_dump(include={"prompt_tokens", "completion_tokens", "embedding_tokens"})
    return Evaluation.model_validate(
        {
            **row,
            **used,
            "judge": None if row["judge"] is None else {**row["judge"], **figures.get("judge", {})},
            "figures": figures.get("all", {}),
            "by_label": figures.get("labels", {}) if by_label else {},
            "cost_usd": None if spent is None or spent.cost_nano_usd is None else _usd(spent.cost_nano_usd),
            "budget_usd": None if row["budget_nano_usd"] is None else _usd(row["budget_nano_usd"]),
            "key_id": row["grant_key_id"],
        }
    )


def _usd(nano: int) -> str:
    return f"{Decimal(nano) / NANO:f}"
