"""How far people agree: Cohen's kappa of what two of them rated both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, Subquery, and_, func, or_, select, tuple_

from contracts.improvement.agreement import cohens_kappa, kappa_interval
from contracts.improvement.feedback import Agreement
from contracts.improvement.monitors import RatedVerdicts
from gateway.feedback.repository import WHOLE
from gateway.storage.tables import feedback
from servicekit.sql.database import Database

PAIRS = 50
ENOUGH = 30
"""Answers that were judged and rated, below which kappa says little."""
_mine, _theirs = feedback.alias("mine"), feedback.alias("theirs")


async def agreements(database: Database, tenant: str, user: str | None, other: str | None) -> list[Agreement]:
    """The pairs of people who rated most together, at most `PAIRS`; those of one or two people if they are named."""
    common, people = _common(tenant), (_mine.c.person, _theirs.c.person)
    for person in (user, other):
        if person is not None:
            common = common.where(or_(*(column == person for column in people)))
    most = common.add_columns(*people).group_by(*people).order_by(func.count().desc(), *people).limit(PAIRS)
    pairs = [(row[0], row[1]) for row in await database.read(lambda connection: connection.execute(most).all())]
    if not pairs:
        return []
    columns = (*people, _mine.c.verdict, _theirs.c.verdict)
    counted = _common(tenant).where(tuple_(*people).in_(pairs)).add_columns(*columns, func.count()).group_by(*columns)
    tables: dict[tuple[str, str], dict[tuple[int, int], int]] = {pair: {} for pair in pairs}
    for row in await database.read(lambda connection: connection.execute(counted).all()):
        tables[row[0], row[1]][row[2], row[3]] = row[4]
    return [_agreement(*pair, counts) for pair, counts in tables.items()]


def _common(tenant: str) -> Select[Any]:
    """What two people rated both, each pair of people once."""
    same = [_mine.c[name] == _theirs.c[name] for name in ("tenant", "answer_id", "part")]
    return (
        select()
        .select_from(_mine.join(_theirs, and_(*same)))
        .where(_mine.c.tenant == tenant, _mine.c.person < _theirs.c.person)
        .where(_mine.c.verdict.is_not(None), _theirs.c.verdict.is_not(None))
    )


def _agreement(user: str, other: str, counts: Mapping[tuple[int, int], int]) -> Agreement:
    agreed = sum(count for (one, two), count in counts.items() if one == two)
    return Agreement(user=user, other=other, both=sum(counts.values()), agreed=agreed, kappa=cohens_kappa(counts))


async def rated_by_people(database: Database, tenant: str, judged: Subquery) -> RatedVerdicts:
    """How far people's ratings agree with verdicts on whole answers: `judged` has `answer_id` and `is_right`. An answer
    counts once: as most people rated it."""
    mine = and_(feedback.c.answer_id == judged.c.answer_id, feedback.c.tenant == tenant, feedback.c.part == WHOLE)
    rating = func.sum(feedback.c.verdict)
    query = select(judged.c.is_right, rating.label("rating")).select_from(judged.join(feedback, mine))
    per_answer = query.group_by(judged.c.answer_id, judged.c.is_right).having(rating != 0).subquery()
    is_liked = per_answer.c.rating > 0
    counted = select(is_liked, per_answer.c.is_right, func.count()).group_by(is_liked, per_answer.c.is_right)
    rows = await database.read(lambda connection: connection.execute(counted).all())
    return agreement_of({(bool(row[0]), bool(row[1])): row[2] for row in rows})


def agreement_of(counts: Mapping[tuple[bool, bool], int]) -> RatedVerdicts:
    """Of pairs of verdicts, people's and a judge's."""
    answers, agreed = sum(counts.values()), counts.get((True, True), 0) + counts.get((False, False), 0)
    if answers < ENOUGH:
        return RatedVerdicts(answers=answers, agreed=agreed)
    kappa = cohens_kappa(counts)
    low, high = (None, None) if kappa is None else kappa_interval(counts)
    return RatedVerdicts(answers=answers, agreed=agreed, enough=True, kappa=kappa, low=low, high=high)
