"""The fair order and shares of slots, on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.jobs.kind import empty_database
from tests.support.jobs.queue_conformance import Turns

from servicekit.jobs.fairness import holds_too_much
from servicekit.sql.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with empty_database(None, tmp_path) as database:
        yield database


class TestTurns(Turns):
    """As on any database."""


@pytest.mark.parametrize(
    ("own", "waiting", "too_much"),
    [
        (6, [], False),
        (6, [0], True),
        (3, [3], False),
        (3, [2], False),
        (1, [0], False),
        (2, [0], True),
        (2, [2, 0], True),
    ],
)
def test_who_has_two_slots_more_than_one_that_waits_gives_one_away(
    own: int, waiting: list[int], too_much: bool
) -> None:
    assert holds_too_much(own, waiting) is too_much
