"""A retriever that is killed at any moment comes back with every write that it acknowledged, none half done."""

from __future__ import annotations

from pathlib import Path

from tests.support.retriever_kills import survive

KILLS = 20


async def test_every_acknowledged_write_survives_kills_at_random_moments(tmp_path: Path) -> None:
    ledger = await survive(tmp_path, KILLS, seed=7)
    assert ledger.writes > 2 * KILLS
    assert ledger.searches > 2 * KILLS
    assert ledger.flips > 0


async def test_kills_while_indexes_are_built_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    ledger = await survive(tmp_path, KILLS, seed=11, settings={"RETRIEVER_INDEX_POINTS": "10"}, in_builds=KILLS // 2)
    assert ledger.writes > 2 * KILLS
    assert ledger.flips > 0
    assert ledger.builds >= KILLS // 2
    assert ledger.indexed > 0
