"""What an evaluation has in SQL of each question: what is still to be asked, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from contracts.improvement.question_sets import QuestionRecord
from lab.evaluations.judging.judge import agreement
from lab.evaluations.judging.rubric import OF_JUDGE, REPORT
from lab.evaluations.measures import Known, Said, measure
from lab.evaluations.pairs import pair_figures
from lab.evaluations.parts import asked_part
from lab.evaluations.target import BLOCKED, BLOCKS, Answered
from lab.questions.repository import Viewer
from lab.safety import suites
from lab.safety.measures import DECISION, PAIR_SAME, measure_safety, rule_of
from lab.tables import ANSWERS

SUCCEEDED = "succeeded"
"""The measure of every question: whether there is an answer."""
ALWAYS = OF_JUDGE | {SUCCEEDED}
Measured = list[tuple[Sequence[str], Mapping[str, float]]]


def unanswered(connection: Connection, row: Mapping[str, Any]) -> list[tuple[int, QuestionRecord]]:
    """The questions that are asked of the version and have no answer yet, by number, the last one first."""
    viewer = Viewer(row["tenant"], row["grant_key_id"])
    questions = suites.all_questions(connection, viewer, row["question_set"], row["version"], row["split"])
    known = set(connection.execute(select(ANSWERS.c.number).where(ANSWERS.c.evaluation_id == row["id"])).scalars())
    asked = asked_part(connection, row, enumerate(questions, start=1))
    return [(number, one) for number, one in reversed(asked) if number not in known]


def measured_answers(
    connection: Connection, row: Mapping[str, Any]
) -> tuple[dict[int, dict[str, float]], Measured, dict[str, Any]]:
    """The figures that are to be taken over, by number; labels and figures of each question; how far people agree with
    the judge, if there is one."""
    paired = pair_figures(connection, row) if row["measures"] is None or PAIR_SAME in row["measures"] else {}
    columns = (ANSWERS.c.number, ANSWERS.c.labels, ANSWERS.c.figures)
    query = select(*columns).where(ANSWERS.c.evaluation_id == row["id"]).order_by(ANSWERS.c.number)
    measured = [(one.labels, paired.get(one.number, one.figures)) for one in connection.execute(query)]
    if row["judge"] is None:
        return paired, measured, {}
    reports = connection.execute(select(ANSWERS.c.report).where(ANSWERS.c.evaluation_id == row["id"])).scalars()
    agreed = agreement(report.get(REPORT, {}) for report in reports)
    return paired, measured, {REPORT: agreed}


def taken_for_refusal(question: QuestionRecord, answered: Answered) -> Answered:
    """What came of a question with a safety rule: where a guardrail or the model's provider blocked it, that is an
    answer without a word, which refuses. The report says by what."""
    error = answered.error
    if error is None or not (error.type == BLOCKED or error.code in BLOCKS) or rule_of(question.metadata) is None:
        return answered
    report = {**answered.report, "blocked": error.model_dump(include={"code", "message"})}
    return Answered(Said(""), answered.latency_ms, report=report)


def answer_row(
    evaluation: Mapping[str, Any], number: int, question: QuestionRecord, answered: Answered, tries: int
) -> dict[str, Any]:
    """A question's answer as it is kept, with the figures that the evaluation takes."""
    figures, report = {SUCCEEDED: float(answered.error is None)}, dict(answered.report)
    if answered.error is None:
        found, more = _measured(question, answered)
        figures |= found
        report |= more
    wanted = evaluation["measures"]
    if wanted is not None:
        figures = {name: value for name, value in figures.items() if name in wanted or name in ALWAYS}
    return {
        "evaluation_id": evaluation["id"],
        "number": number,
        "question_id": question.id,
        "labels": question.labels,
        "question": question.question or (question.turns[-1].content if question.turns else ""),
        "answer": answered.said.text if answered.error is None else None,
        "figures": figures,
        "error": None if answered.error is None else answered.error.model_dump(),
        "answer_id": answered.answer_id,
        "report": report,
        "tries": tries,
    }


def _measured(question: QuestionRecord, answered: Answered) -> tuple[dict[str, float], dict[str, Any]]:
    """Figures, and what the report says beside the target's own."""
    known, rule = Known(question.answers, question.documents, question.answerable), rule_of(question.metadata)
    figures = measure(known, answered.said)
    report: dict[str, Any] = {}
    if rule is not None and answered.said.text is not None:
        safety = measure_safety(rule, answered.said.text, abstained=answered.said.abstained)
        figures |= safety.figures
        report |= {} if safety.decision is None else {DECISION: safety.decision}
    if answered.judged is not None:
        figures |= answered.judged.figures
        report[REPORT] = answered.judged.report
    return figures | {"latency_ms": answered.latency_ms, "tokens": float(answered.tokens)}, report
