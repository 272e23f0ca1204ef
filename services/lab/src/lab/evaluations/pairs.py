"""Questions that are to be answered like another: whether they were, once both have an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from lab.questions.repository import Viewer
from lab.safety import suites
from lab.safety.measures import DECISION, PAIR_SAME, rule_of, same_decision
from lab.tables import ANSWERS
from servicekit.core.errors import NotFound


def pair_figures(connection: Connection, row: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """The figures of an evaluation's answers by number, each with `pair_same` added, where their question names another
    that was answered, too. It is of the question that names: a pair counts once."""
    viewer = Viewer(row["tenant"], row["grant_key_id"])
    try:
        questions = suites.all_questions(connection, viewer, row["question_set"], row["version"], None)
    except NotFound:
        return {}
    named = {one.id: rule.pair for one in questions if (rule := rule_of(one.metadata)) is not None and rule.pair}
    if not named:
        return {}
    columns = (ANSWERS.c.question_id, ANSWERS.c.number, ANSWERS.c.report, ANSWERS.c.figures)
    query = select(*columns).where(ANSWERS.c.evaluation_id == row["id"], ANSWERS.c.error.is_(None))
    wanted = {*named, *named.values()}
    answers = {one["question_id"]: one for one in connection.execute(query).mappings() if one["question_id"] in wanted}
    found = {}
    for question, other in named.items():
        if question in answers and other in answers:
            first, second = (answers[each]["report"].get(DECISION) for each in (other, question))
            same = same_decision(first, second)
            if same is not None:
                found[answers[question]["number"]] = {**answers[question]["figures"], PAIR_SAME: same}
    return found


def write_figures(connection: Connection, evaluation_id: str, figures: Mapping[int, Mapping[str, float]]) -> None:
    """Take them over."""
    for number, found in figures.items():
        one = (ANSWERS.c.evaluation_id == evaluation_id) & (ANSWERS.c.number == number)
        connection.execute(update(ANSWERS).where(one).values(figures=dict(found)))
