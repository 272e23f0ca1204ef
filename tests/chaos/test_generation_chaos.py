"""Labs are killed while questions are made from documents: each passage comes to one thing, and the cost is the
ledger's.

`KILLS=5 PASSAGES=60 SEED=1`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select
from tests.support.agent.running import free_port
from tests.support.gateway.running import RunningGateway, running_gateway
from tests.support.improvement.lab_process import DEADLINE_SECONDS, Lab

from gateway.limits.memory_limiter import MemoryLimiter
from gateway.storage.tables import usage
from servicekit.core.clock import SystemClock

KILLS, PASSAGES, SEED = (
    int(os.environ.get(name, few)) for name, few in (("KILLS", "5"), ("PASSAGES", "60"), ("SEED", "1"))
)
SET = "/v1/question-sets/policies"


def _shelve(gateway: RunningGateway) -> None:
    """Documents of one sentence; the reader cites the first one, whatever is asked."""
    for at in range(PASSAGES):
        gateway.seen.documents[f"d{at}"] = (
            f"Every visitor of the Bergen office number {at} receives {at} yellow badges."
        )
    place = {"revision": 1, "start": 0, "title": "t", "source": "s", "score": 1.0, "scores": {}}
    gateway.seen.hits = [
        {
            **place,
            "collection": "handbook",
            "document_id": name,
            "chunk_id": f"c_{name}",
            "text": text,
            "end": len(text),
        }
        for name, text in gateway.seen.documents.items()
    ]
    first = gateway.seen.documents["d0"]
    gateway.seen.citation = {"document_id": "d0", "revision": 1, "start": 0, "end": len(first), "quote": first}


async def _until(gateway: RunningGateway, path: str, done: int) -> dict[str, Any]:
    """The run once so many passages were tried, or it is over."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await gateway.call("GET", path)
            if answer.status == 200:
                found: dict[str, Any] = await answer.json()
                if found["done"] >= done or found["status"] not in ("queued", "running"):
                    return found
            await asyncio.sleep(0.05)


async def test_each_passage_comes_to_one_thing_and_the_cost_is_the_ledgers_after_kills(tmp_path: Path) -> None:
    chance, port = random.Random(SEED), free_port()
    url = f"http://127.0.0.1:{port}"
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock()), lab_url=url) as gateway:
        _shelve(gateway)
        lab = Lab(tmp_path, port, gateway)
        await lab.start()
        try:
            body = {"collection": "handbook", "count": 100, "within": 100, "near_misses": 1}
            made = await gateway.call("POST", f"{SET}/generate", json=body)
            assert made.status == 202, await made.text()
            path = f"{SET}/generations/{(await made.json())['id']}"
            for kill in range(KILLS):
                before = PASSAGES * kill // (KILLS + 1)
                await _until(gateway, path, before + chance.randint(0, PASSAGES // (KILLS + 1)))
                await lab.end()
                await lab.start()
            found = await _until(gateway, path, 10 * PASSAGES)
            assert (found["status"], found["passages"]) == ("completed", PASSAGES)
            assert found["kept"] + sum(found["dropped"].values()) >= PASSAGES
            await _agree(gateway, path, found)
        finally:
            await lab.end(signal.SIGTERM)


async def _agree(gateway: RunningGateway, path: str, found: dict[str, Any]) -> None:
    """Every passage once, and the ledger's cost to the last digit."""
    numbers, cursor = Counter[int](), ""
    while cursor is not None:
        page = await (await gateway.call("GET", f"{path}/items?limit=200{cursor}")).json()
        numbers.update(one["number"] for one in page["data"])
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert set(range(1, PASSAGES + 1)) <= set(numbers)
    assert len(numbers) == found["done"]
    assert set(numbers.values()) == {1}
    async with gateway.deps.database.read() as connection:
        named = usage.c.request_id.startswith(f"{found['id']}.")
        costs = (await connection.execute(select(usage.c.cost_nano_usd).where(named))).scalars().all()
    assert Decimal(found["cost_usd"]) == Decimal(sum(cost or 0 for cost in costs)) / 10**9 > 0
