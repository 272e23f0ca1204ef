"""Two hundred kills of a retriever, at other moments each time; `SEED` repeats a run."""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.support.retriever_kills import survive

KILLS = 200


async def test_a_retriever_survives_two_hundred_kills(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED") or random.randrange(10**6))
    print(f"SEED={seed}")  # noqa: T201  # shown when it fails
    ledger = await survive(tmp_path, KILLS, seed)
    assert ledger.writes > 2 * KILLS
    assert ledger.flips > 0
