"""Which of two targets people chose who did not see which one an answer was of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, Select, and_, case, func, or_, select

from contracts.improvement.feedback import BlindComparison
from gateway.feedback.repository import WHOLE
from gateway.feedback.sign_test import sign_test
from gateway.storage.tables import feedback
from servicekit.sql.database import Database, rows_of

PAIRS = 50


async def comparisons(
    database: Database, tenant: str, key_id: str | None, model: str | None, other: str | None
) -> list[BlindComparison]:
    """The pairs of targets that were compared most, at most `PAIRS`; those of one or two targets if they are named, and
    what one key said if that is."""
    named = [each for each in (model, other) if each is not None]
    rows = await database.read(rows_of(_counted(tenant, key_id, named)))
    return [_comparison(row, model, other) for row in rows]


def _counted(tenant: str, key_id: str | None, named: Sequence[str]) -> Select[Any]:
    """By pair, how many questions went which way."""
    of_question = _by_question(tenant, key_id, named).subquery()
    lean, pair = of_question.c.lean, (of_question.c.first, of_question.c.second)
    counts = {
        "questions": func.count(),
        "wins": func.sum(case((lean > 0, 1), else_=0)),
        "losses": func.sum(case((lean < 0, 1), else_=0)),
        "both_bad": func.sum(case((lean == 0, of_question.c.bad), else_=0)),
    }
    columns = [count.label(name) for name, count in counts.items()]
    return select(*pair, *columns).group_by(*pair).order_by(func.count().desc(), *pair).limit(PAIRS)


def _by_question(tenant: str, key_id: str | None, named: Sequence[str]) -> Select[Any]:
    """By pair and question, which of the two was chosen more often: choices of one question are alike, whoever made
    them. A question that is not on record with its words is told apart by its answer."""
    choices = _choices(tenant, key_id, named).subquery()
    unit = (choices.c.first, choices.c.second, choices.c.question)
    sums = func.sum(choices.c.lean).label("lean"), func.max(choices.c.bad).label("bad")
    return select(*unit, *sums).group_by(*unit)


def _choices(tenant: str, key_id: str | None, named: Sequence[str]) -> Select[Any]:
    """Each choice, the two targets in one order whichever of them was chosen."""
    is_ordered, is_tie = feedback.c.model < feedback.c.other_model, feedback.c.tied_with.is_not(None)
    columns = {
        "first": case((is_ordered, feedback.c.model), else_=feedback.c.other_model),
        "second": case((is_ordered, feedback.c.other_model), else_=feedback.c.model),
        "question": case((feedback.c.question > "", feedback.c.question), else_=feedback.c.answer_id),
        "lean": case((is_tie, 0), (is_ordered, 1), else_=-1),
        "bad": case((and_(is_tie, feedback.c.verdict == -1), 1), else_=0),
    }
    asked = [
        feedback.c.tenant == tenant,
        feedback.c.blind,
        feedback.c.part == WHOLE,
        feedback.c.other_model > "",
        feedback.c.model != feedback.c.other_model,
        *(or_(feedback.c.model == each, feedback.c.other_model == each) for each in named),
    ]
    if key_id is not None:
        asked.append(feedback.c.key_id == key_id)
    return select(*(column.label(name) for name, column in columns.items())).where(*asked)


def _comparison(row: RowMapping, named: str | None, beside: str | None) -> BlindComparison:
    """From the side of the target that was named, else of the one that won more often."""
    sides = [(row["first"], row["wins"]), (row["second"], row["losses"])]
    sides.sort(key=lambda side: (side[0] != named, side[0] == beside, -side[1]))
    (model, wins), (other, losses) = sides
    found = sign_test(wins, losses)
    return BlindComparison(
        model=model,
        other=other,
        questions=row["questions"],
        wins=wins,
        losses=losses,
        ties=row["questions"] - wins - losses,
        both_bad=row["both_bad"],
        share=found and found.share,
        low=found and found.low,
        high=found and found.high,
        p=found and found.p,
    )
