"""The part of a version's questions that a sweep's evaluation asks: those of which it is known what is right, and of a
set without splits one half, by the digest of the question's id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.sweeps import OF_ANSWERS, TrialPart
from lab.tables import SWEEPS

Numbered = tuple[int, QuestionRecord]


def half_of(question_id: str) -> TrialPart:
    """The same for a question in every sweep."""
    return "choose" if hashlib.sha256(question_id.encode()).digest()[0] % 2 == 0 else "confirm"


def is_measured(question: QuestionRecord, measure: str) -> bool:
    """Whether the question has what the measure needs."""
    return bool(question.answers if measure in OF_ANSWERS else question.documents)


def asked_part(connection: Connection, evaluation: Mapping[str, Any], questions: Iterable[Numbered]) -> list[Numbered]:
    """Those of the questions that the evaluation asks: all, where it is no sweep's."""
    if evaluation["trial_id"] is None:
        return list(questions)
    about = select(SWEEPS.c.choose_split, SWEEPS.c.measure).where(SWEEPS.c.id == evaluation["trial_id"])
    split, measure = connection.execute(about).one()
    measured = [(number, one) for number, one in questions if is_measured(one, measure)]
    return [(number, one) for number, one in measured if split is not None or half_of(one.id) == evaluation["part"]]
