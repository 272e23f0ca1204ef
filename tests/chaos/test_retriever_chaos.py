"""Many kills of a retriever while it is written, reindexed and searched; `KILLS=200 SEED=7` for more and other ones."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.retriever_kills import survive

KILLS = int(os.environ.get("KILLS") or 60)
SEED = int(os.environ.get("SEED") or 1)


async def test_a_retriever_survives_being_killed_again_and_again(tmp_path: Path) -> None:
    ledger = await survive(tmp_path, KILLS, SEED)
    assert ledger.writes > 2 * KILLS
    assert ledger.flips > 0
