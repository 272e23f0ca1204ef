"""What people said of answers, as experiments count it."""

from __future__ import annotations

from sqlalchemy import Float, Subquery, cast, func, select

from gateway.storage.tables import feedback

WHOLE = "answer"
"""The part of an answer that is all of it."""


def rated_answers() -> Subquery:
    """`rating` of each answer that somebody has rated as a whole, on average from 0 (down) to 1 (up)."""
    rating = (func.avg(cast(feedback.c.verdict, Float)) + 1.0) / 2.0
    judged = (feedback.c.part == WHOLE) & feedback.c.verdict.is_not(None)
    answers = (feedback.c.tenant, feedback.c.answer_id)
    return select(*answers, rating.label("rating")).where(judged).group_by(*answers).subquery()
