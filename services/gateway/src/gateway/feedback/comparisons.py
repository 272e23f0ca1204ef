"""Which of two targets people chose who did not see which one an answer was of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, case, func, or_, select

from contracts.improvement.feedback import BlindComparison, ComparedBy
from gateway.feedback.repository import WHOLE
from gateway.feedback.sign_test import sign_test
from gateway.storage.tables import feedback
from servicekit.sql.database import Database, rows_of

PAIRS = 50
BETWEEN = "\n"
"""Between a target's name and its version; in neither of them."""


@dataclass(frozen=True, slots=True)
class ComparisonFilter:
    """Which choices to count, and by what: what one key said if it is named, pairs with one or two targets if they are,
    and what was chosen last in a time."""

    key_id: str | None
    model: str | None
    other: str | None
    by: ComparedBy
    start: datetime
    end: datetime

    def conditions(self) -> list[ColumnElement[bool]]:
        """As the table has them."""
        named = [each for each in (self.model, self.other) if each is not None]
        found = [or_(feedback.c.model == each, feedback.c.other_model == each) for each in named]
        found += [feedback.c.updated_at >= self.start, feedback.c.updated_at < self.end]
        return found if self.key_id is None else [*found, feedback.c.key_id == self.key_id]

    def sides(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """What is counted of the answer and of the other one."""
        models, versions = (feedback.c.model, feedback.c.other_model), (feedback.c.version, feedback.c.other_version)
        if self.by == "target":
            return models
        one, other = (model + BETWEEN + func.coalesce(of, "") for model, of in zip(models, versions, strict=True))
        return one, other


async def list_pairs(database: Database, tenant: str, asked: ComparisonFilter) -> list[BlindComparison]:
    """The pairs that were compared most, at most `PAIRS`."""
    rows = await database.read(rows_of(_counted(tenant, asked)))
    return [_comparison(row, asked) for row in rows]


def _counted(tenant: str, asked: ComparisonFilter) -> Select[Any]:
    """By pair, how many questions went which way."""
    of_question = _by_question(tenant, asked).subquery()
    lean, pair = of_question.c.lean, (of_question.c.first, of_question.c.second)
    counts = {
        "questions": func.count(),
        "wins": func.sum(case((lean > 0, 1), else_=0)),
        "losses": func.sum(case((lean < 0, 1), else_=0)),
        "both_bad": func.sum(case((lean == 0, of_question.c.bad), else_=0)),
    }
    columns = [count.label(name) for name, count in counts.items()]
    return select(*pair, *columns).group_by(*pair).order_by(func.count().desc(), *pair).limit(PAIRS)


def _by_question(tenant: str, asked: ComparisonFilter) -> Select[Any]:
    """By pair and question, which of the two was chosen more often: choices of one question are alike, whoever made
    them. A question that is not on record with its words is told apart by its answer."""
    choices = _choices(tenant, asked).subquery()
    unit = (choices.c.first, choices.c.second, choices.c.question)
    sums = func.sum(choices.c.lean).label("lean"), func.max(choices.c.bad).label("bad")
    return select(*unit, *sums).group_by(*unit)


def _choices(tenant: str, asked: ComparisonFilter) -> Select[Any]:
    """Each choice, the two sides in one order whichever of them was chosen."""
    one, other = asked.sides()
    is_ordered, is_tie = one < other, feedback.c.tied_with.is_not(None)
    columns = {
        "first": case((is_ordered, one), else_=other),
        "second": case((is_ordered, other), else_=one),
        "question": case((feedback.c.question > "", feedback.c.question), else_=feedback.c.answer_id),
        "lean": case((is_tie, 0), (is_ordered, 1), else_=-1),
        "bad": case((and_(is_tie, feedback.c.verdict == -1), 1), else_=0),
    }
    counted = [
        feedback.c.tenant == tenant,
        feedback.c.blind,
        feedback.c.part == WHOLE,
        feedback.c.other_model > "",
        one != other,
        *asked.conditions(),
    ]
    return select(*(column.label(name) for name, column in columns.items())).where(*counted)


def _comparison(row: RowMapping, asked: ComparisonFilter) -> BlindComparison:
    """From the side of the target that was named, else of the one that won more often."""
    sides = [
        (*row["first"].partition(BETWEEN)[::2], row["wins"]),
        (*row["second"].partition(BETWEEN)[::2], row["losses"]),
    ]
    sides.sort(key=lambda side: (side[0] != asked.model, side[0] == asked.other, -side[2]))
    (model, version, wins), (other, other_version, losses) = sides
    found = sign_test(wins, losses)
    return BlindComparison(
        model=model,
        version=version or None,
        other=other,
        other_version=other_version or None,
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
