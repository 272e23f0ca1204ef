from __future__ import annotations

import pytest
from sqlalchemy import insert

from contracts.improvement.agreement import cohens_kappa
from gateway.feedback.agreement import agreements
from gateway.storage.tables import feedback
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        ({(1, 1): 20, (1, -1): 5, (-1, 1): 10, (-1, -1): 15}, 0.4),  # of 50, as in most textbooks: (.7 - .5) / (1 - .5)
        ({(1, 1): 3, (-1, -1): 2}, 1.0),
        ({(1, -1): 1, (-1, 1): 1}, -1.0),
        ({(1, 1): 1, (1, -1): 1, (-1, 1): 1, (-1, -1): 1}, 0.0),
        ({(1, 1): 7}, None),
        ({}, None),
    ],
)
def test_kappa_is_agreement_beyond_chance(counts: dict[tuple[int, int], int], kappa: float | None) -> None:
    found = cohens_kappa(counts)
    assert found == (kappa if kappa is None else pytest.approx(kappa))


async def test_two_people_are_compared_on_what_both_have_rated(database: Database, clock: ManualClock) -> None:
    said = {"ann": {"a": 1, "b": 1, "c": -1, "d": 0, "e": None}, "bob": {"a": 1, "b": -1, "c": -1, "e": 1, "f": 1}}
    said["cem"] = {"a": 1}
    rows = [
        {"id": f"{person}{answer}{tenant}", "tenant": tenant, "key_id": "k", "person": person, "answer_id": answer,
         "part": "answer", "verdict": verdict, "labels": [], "collections": "", "created_at": clock.now(),
         "updated_at": clock.now()}
        for tenant in ("acme", "other")
        for person, verdicts in said.items()
        for answer, verdict in verdicts.items()
    ]  # fmt: skip
    async with database.write() as connection:
        await connection.execute(insert(feedback), rows)
    found = await agreements(database, "acme", None, None)
    assert [(one.user, one.other, one.both, one.agreed) for one in found] == [
        ("ann", "bob", 3, 2), ("ann", "cem", 1, 1), ("bob", "cem", 1, 1),
    ]  # fmt: skip
    assert found[0].kappa == pytest.approx(0.4)  # (2/3 - 4/9) / (1 - 4/9)
    assert found[1].kappa is None
    assert len(await agreements(database, "acme", "bob", None)) == 2
    assert [(one.user, one.other) for one in await agreements(database, "acme", "cem", "ann")] == [("ann", "cem")]
