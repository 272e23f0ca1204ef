"""How far people agree: Cohen's kappa of what two of them rated both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, tuple_

from contracts.improvement.agreement import cohens_kappa
from contracts.improvement.feedback import Agreement
from gateway.storage.tables import feedback
from servicekit.sql.database import Database

PAIRS = 50
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
