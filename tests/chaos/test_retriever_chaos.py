"""Many kills of a retriever while it is written, reindexed and searched; `KILLS=200 SEED=7` for more and other ones."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.retriever.kills import survive
from tests.support.retriever.writer_kills import kill_writers

KILLS = int(os.environ.get("KILLS") or 60)
SEED = int(os.environ.get("SEED") or 1)


async def test_every_acknowledged_write_survives_kills_at_random_moments(tmp_path: Path) -> None:
    ledger = await survive(tmp_path, KILLS, SEED)
    assert ledger.writes > 2 * KILLS
    assert ledger.searches > 2 * KILLS
    assert ledger.flips > 0


async def test_kills_while_indexes_are_built_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    kills = max(20, KILLS // 3)  # with fewer hardly an index is ever complete
    settings = {"RETRIEVER_INDEX_POINTS": "10"}
    ledger = await survive(tmp_path, kills, seed=SEED + 10, settings=settings, in_builds=kills // 2)
    assert ledger.writes > 2 * kills
    assert ledger.flips > 0
    assert ledger.builds >= kills // 2
    assert ledger.indexed > 0


async def test_kills_of_a_store_that_builds_its_index_lose_no_acknowledged_write(tmp_path: Path) -> None:
    await kill_writers(tmp_path / "store", max(8, KILLS // 6), SEED + 10)
