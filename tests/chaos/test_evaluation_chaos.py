"""Labs are killed while an evaluation asks: each question is answered once, and what it cost is what the ledger has.

`KILLS=5 QUESTIONS=120 SEED=1`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select
from tests.support.agent.running import free_port
from tests.support.gateway.running import RunningGateway, running_gateway
from tests.support.improvement.lab_process import DEADLINE_SECONDS, Lab

from gateway.limits.memory_limiter import MemoryLimiter
from gateway.storage.tables import usage
from servicekit.core.clock import SystemClock

KILLS, QUESTIONS, SEED = (
    int(os.environ.get(name, few)) for name, few in (("KILLS", "5"), ("QUESTIONS", "120"), ("SEED", "1"))
)


async def _until(gateway: RunningGateway, path: str, done: int) -> dict[str, Any]:
    """The evaluation once so many questions have an answer, or it is over."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await gateway.call("GET", path)
            if answer.status == 200:
                found: dict[str, Any] = await answer.json()
                if found["done"] >= done or found["status"] not in ("queued", "running"):
                    return found
            await asyncio.sleep(0.05)


async def test_each_question_is_answered_once_and_the_cost_is_the_ledgers_after_kills(tmp_path: Path) -> None:
    chance, port = random.Random(SEED), free_port()
    url = f"http://127.0.0.1:{port}"
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock()), lab_url=url) as gateway:
        lab = Lab(tmp_path, port, gateway)
        await lab.start()
        try:
            items = [{"question": f"Question {n}?", "answers": ["Hello there"]} for n in range(QUESTIONS)]
            saved = await gateway.call("POST", "/v1/question-sets", json={"name": "policies", "items": items})
            assert saved.status == 201, await saved.text()
            body = {"question_set": "policies", "target": {"model": "echo"}}
            made = await (await gateway.call("POST", "/v1/evaluations", json=body)).json()
            path = f"/v1/evaluations/{made['id']}"
            for kill in range(KILLS):
                before = QUESTIONS * kill // (KILLS + 1)
                await _until(gateway, path, before + chance.randint(1, QUESTIONS // (KILLS + 1)))
                await lab.end()
                await lab.start()
            found = await _until(gateway, path, QUESTIONS + 1)
            assert (found["status"], found["done"], found["failed"]) == ("completed", QUESTIONS, 0)
            assert found["figures"]["answer_found"] == {"mean": 1, "low": 1, "high": 1, "questions": QUESTIONS}
            await _agree(gateway, found)
        finally:
            await lab.end(signal.SIGTERM)


async def test_no_answer_is_paid_twice_while_its_judge_is_away_and_labs_that_wait_for_it_are_killed(
    tmp_path: Path,
) -> None:
    port, few, judge = free_port(), 12, "slow"
    async with running_gateway(
        tmp_path, limiter=MemoryLimiter(SystemClock()), lab_url=f"http://127.0.0.1:{port}"
    ) as gateway:

        def asked(model: str) -> int:
            calls = [call for call in gateway.seen.calls if call["path"] == "/inference/v1/chat/completions"]
            return len([call for call in calls if call["body"]["model"] == model])

        lab = Lab(tmp_path, port, gateway)
        await lab.start()
        try:
            gateway.seen.script[judge] = ["503"]
            items = [{"question": f"Question {n}?", "answers": ["Hello there"]} for n in range(few)]
            saved = await gateway.call("POST", "/v1/question-sets", json={"name": "policies", "items": items})
            assert saved.status == 201, await saved.text()
            body = {"question_set": "policies", "target": {"model": "echo"}, "judge": {"model": judge}}
            made = await (await gateway.call("POST", "/v1/evaluations", json=body)).json()
            path = f"/v1/evaluations/{made['id']}"
            for _ in range(3):
                await _until_it_waits(gateway, path, partial(asked, judge))
                await lab.end()
                await lab.start()
            assert 0 < asked("echo") < few
            gateway.seen.script[judge] = ["ok"]
            found = await _until(gateway, path, few + 1)
            assert (found["status"], found["done"], found["failed"]) == ("completed", few, 0)
            assert found["figures"]["judge_failed"]["questions"] == few
            assert asked("echo") == few
            assert asked(judge) >= few
        finally:
            await lab.end(signal.SIGTERM)


async def _until_it_waits(gateway: RunningGateway, path: str, asked: Callable[[], int]) -> None:
    """Return once something was asked in vain, and the evaluation waits before it asks again."""
    before = asked()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = await (await gateway.call("GET", path)).json()
            if asked() > before and found["status"] == "queued":
                return
            await asyncio.sleep(0.05)


async def _agree(gateway: RunningGateway, found: dict[str, Any]) -> None:
    """Every question once, and the ledger's cost to the last digit."""
    questions, cursor = Counter[str](), ""
    while cursor is not None:
        page = await (await gateway.call("GET", f"/v1/evaluations/{found['id']}/answers?limit=200{cursor}")).json()
        questions.update(one["question"] for one in page["data"])
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert len(questions) == QUESTIONS
    assert set(questions.values()) == {1}
    async with gateway.deps.database.read() as connection:
        named = usage.c.request_id.startswith(f"{found['id']}.")
        costs = (await connection.execute(select(usage.c.cost_nano_usd).where(named))).scalars().all()
    assert len(costs) >= QUESTIONS
    assert Decimal(found["cost_usd"]) == Decimal(sum(costs)) / 10**9
