"""Sweeps in SQL. All functions run on one connection, inside the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select

from contracts.core.pages import Page
from contracts.improvement.evaluations import FINAL_EVALUATION_STATUSES
from contracts.improvement.question_sets import QuestionSet
from contracts.improvement.sweeps import (
    FEWEST_QUESTIONS,
    Combination,
    Trial,
    TrialCandidate,
    TrialConfirmation,
    TrialCreate,
    TrialPart,
)
from lab.evaluations.parts import half_of, is_measured
from lab.evaluations.repository import NANO
from lab.questions.repository import Viewer
from lab.safety import suites
from lab.sweeps.errors import TooFewQuestions, TooManySweeps, TrialNotFound, TrialUnfinished
from lab.sweeps.plan import WEAKENED, words_of
from lab.tables import ANSWERS, EVALUATIONS, SWEEPS, UNJUDGED
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.identifiers import new_id
from servicekit.jobs.tables import JobOwner, is_live

COLUMNS = SWEEPS.c
PARTS: tuple[TrialPart, ...] = ("choose", "confirm")


def count_parts(connection: Connection, viewer: Viewer, wanted: TrialCreate, found: QuestionSet) -> dict[str, int]:
    """How many questions decide in each part; raises `TooFewQuestions`."""
    counts: Counter[str] = Counter()
    for part, split in zip(PARTS, (wanted.choose_split, wanted.confirm_split), strict=True):
        if split is None and counts:
            continue  # both halves were counted with the first
        questions = suites.all_questions(connection, viewer, found.name, found.version, split)
        measured = [one for one in questions if is_measured(one, wanted.measure)]
        counts.update(part if split is not None else half_of(one.id) for one in measured)
    for part, split in zip(PARTS, (wanted.choose_split, wanted.confirm_split), strict=True):
        if counts[part] < FEWEST_QUESTIONS:
            raise TooFewQuestions(found.name, found.version, split, counts[part], wanted.measure)
    return dict(counts)


def create_trial(
    connection: Connection,
    owner: JobOwner,
    wanted: TrialCreate,
    found: QuestionSet,
    counts: Mapping[str, int],
    combinations: Sequence[Combination],
    indexes: Mapping[str, Any] | None,
    now: datetime,
) -> str:
    """Queue one; its id."""
    trial_id = new_id("sweep")
    row = {
        "id": trial_id,
        **owner.queued(now),
        "created_at": now,
        **wanted.model_dump(include={"collection", "choose_split", "confirm_split", "measure", "answers"}),
        "question_set": found.name,
        "version": found.version,
        "choose_questions": counts["choose"],
        "confirm_questions": counts["confirm"],
        "combinations": [one.model_dump() for one in combinations],
        "budget_nano_usd": None if wanted.budget_usd is None else int(wanted.budget_usd * NANO),
        "result": {},
        "indexes": indexes,
    }
    connection.execute(insert(SWEEPS).values(**row))
    return trial_id


def check_room(connection: Connection, tenant: str, most: int) -> None:
    """Raise `TooManySweeps` where as many are queued or at work as may be."""
    live = select(func.count()).select_from(SWEEPS).where(COLUMNS.tenant == tenant, is_live(COLUMNS))
    if connection.execute(live).scalar_one() >= most:
        raise TooManySweeps(most)


def read_row(connection: Connection, viewer: Viewer, trial_id: str) -> RowMapping:
    """As it is stored; raises `TrialNotFound`."""
    row = connection.execute(_seen(viewer).where(COLUMNS.id == trial_id)).mappings().one_or_none()
    if row is None:
        raise TrialNotFound(trial_id)
    return row


def get_trial(connection: Connection, viewer: Viewer, trial_id: str) -> Trial:
    """One with its candidates; raises `TrialNotFound`."""
    row = read_row(connection, viewer, trial_id)
    asked = evaluations_of(connection, [trial_id])
    chosen = {one["id"]: one["combination"] for one in asked if one["part"] == "choose"}
    degraded = {chosen[evaluation]: counts for evaluation, counts in degraded_by(connection, list(chosen)).items()}
    return _shown(row, asked, _candidates(row, asked, degraded))


def list_trials(
    connection: Connection, viewer: Viewer, limit: int, cursor: str | None, collection: str | None
) -> Page[Trial]:
    """Newest first."""
    query = _seen(viewer)
    if collection is not None:
        query = query.where(COLUMNS.collection == collection)
    if cursor is not None:
        query = query.where(COLUMNS.id < decode_cursor(cursor, str)[0])
    rows = connection.execute(query.order_by(COLUMNS.id.desc()).limit(limit + 1)).mappings().all()
    asked = evaluations_of(connection, [row["id"] for row in rows[:limit]])
    of = {row["id"]: [one for one in asked if one["trial_id"] == row["id"]] for row in rows[:limit]}
    following = encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page[Trial](data=[_shown(row, of[row["id"]], []) for row in rows[:limit]], next_cursor=following)


def evaluations_of(connection: Connection, trial_ids: Sequence[str]) -> Sequence[RowMapping]:
    """Rows of their evaluations."""
    query = select(EVALUATIONS).where(EVALUATIONS.c.trial_id.in_(trial_ids)).order_by(EVALUATIONS.c.id)
    return connection.execute(query).mappings().all()


def degraded_of(connection: Connection, evaluation_id: str) -> dict[str, int]:
    """How many of its questions were searched without a part of its settings."""
    return degraded_by(connection, [evaluation_id]).get(evaluation_id, {})


def degraded_by(connection: Connection, evaluation_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """The same by evaluation, of those that have some. Of a report, that part alone is read."""
    said = ANSWERS.c.report["degraded"]
    query = select(ANSWERS.c.evaluation_id, said).where(ANSWERS.c.evaluation_id.in_(evaluation_ids))
    found: dict[str, Counter[str]] = {}
    for evaluation, degraded in connection.execute(query):
        if named := [each for each in degraded or () if each in WEAKENED]:
            found.setdefault(evaluation, Counter()).update(named)
    return {evaluation: dict(counts) for evaluation, counts in found.items()}


def delete_trial(connection: Connection, viewer: Viewer, trial_id: str) -> None:
    """One that has ended, with its evaluations; raises `TrialNotFound` or `TrialUnfinished`."""
    row = read_row(connection, viewer, trial_id)
    if row["status"] not in FINAL_EVALUATION_STATUSES:
        raise TrialUnfinished(trial_id)
    ids = select(EVALUATIONS.c.id).where(EVALUATIONS.c.trial_id == trial_id)
    for table in (ANSWERS, UNJUDGED):
        connection.execute(delete(table).where(table.c.evaluation_id.in_(ids)))
    connection.execute(delete(EVALUATIONS).where(EVALUATIONS.c.trial_id == trial_id))
    connection.execute(delete(SWEEPS).where(COLUMNS.id == trial_id))


def delete_tenant(connection: Connection, tenant: str) -> None:
    """Remove all that a tenant has, but for evaluations, which go with the others."""
    connection.execute(delete(SWEEPS).where(COLUMNS.tenant == tenant))


def cost_of(asked: Sequence[RowMapping]) -> int | None:
    """What evaluations have cost, in billionths of a dollar; none while a price is not known."""
    costs = [one["spent"]["cost_nano_usd"] for one in asked if one["spent"]]
    return None if None in costs else sum(costs)


def known_cost_of(row: Mapping[str, Any], asked: Sequence[RowMapping]) -> int:
    """What a sweep has cost with its indexes, as far as prices are known, which is what a budget is of."""
    return (_indexes_cost(row["indexes"]) or 0) + sum(
        one["spent"]["cost_nano_usd"] or 0 for one in asked if one["spent"]
    )


def _indexes_cost(indexes: Mapping[str, Any] | None) -> int | None:
    cost: int | None = 0 if indexes is None else indexes["spent"]
    return cost


def _seen(viewer: Viewer) -> Select[Any]:
    query = select(SWEEPS).where(COLUMNS.tenant == viewer.tenant)
    return query.where(COLUMNS.grant_key_id == viewer.key_id) if viewer.limited else query


def _candidates(
    row: RowMapping, asked: Sequence[RowMapping], degraded: Mapping[int, dict[str, int]]
) -> list[TrialCandidate]:
    chosen = {one["combination"]: one for one in asked if one["part"] == "choose"}
    against = row["result"].get("against", {})
    found = []
    for number, settings in enumerate(row["combinations"]):
        one = chosen.get(number)
        combination = Combination.model_validate(settings)
        about = {"number": number, "settings": combination, "words": words_of(combination)}
        if one is not None:
            about |= {"status": one["status"], "evaluation": one["id"], "error": one["error"]}
            about |= {"figures": one["figures"].get("all", {}), "cost_usd": _usd(cost_of([one]))}
            about |= {"degraded": degraded.get(number, {}), "against": against.get(str(number), [])}
        found.append(TrialCandidate.model_validate(about))
    return found


def _shown(row: RowMapping, asked: Sequence[RowMapping], candidates: list[TrialCandidate]) -> Trial:
    result, live = row["result"], [one for one in asked if one["status"] not in FINAL_EVALUATION_STATUSES]
    confirmation, held = result.get("confirmation"), (row["indexes"] or {}).get("held")
    costs = cost_of(asked), _indexes_cost(row["indexes"])
    building = "index" if held and held["generation"] is None else None
    about = {
        **row,
        "questions": len(row["combinations"]) * row["choose_questions"] + 2 * row["confirm_questions"],
        "done": sum(one["done"] for one in asked),
        "candidates": candidates,
        "confirmation": None if confirmation is None else TrialConfirmation.model_validate(confirmation),
        "verdict": result.get("verdict", ""),
        "may_apply": bool(result.get("better")) and not _is_applied(row),
        "cost_usd": None if None in costs else _usd(sum(filter(None, costs))),
        "budget_usd": _usd(row["budget_nano_usd"]),
        "waiting_on": row["waiting_on"]
        or next((one["waiting_on"] for one in live if one["waiting_on"]), None)
        or building,
        "index_job": held and held["job"],
        "key_id": row["grant_key_id"],
    }
    return Trial.model_validate(about)


def _is_applied(row: RowMapping) -> bool:
    return row["applied"] is not None and row["applied"].get("reverted_at") is None


def _usd(nano: int | None) -> str | None:
    return None if nano is None else f"{Decimal(nano) / NANO:f}"
