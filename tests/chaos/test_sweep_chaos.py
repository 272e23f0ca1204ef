"""Labs are killed while a sweep is under way: no question is answered twice, none is lost, and the winner is the same.

`KILLS=4 SEED=1`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.contract.lab.test_sweeps import BODY, RIGHT, WRONG
from tests.support.agent.running import free_port
from tests.support.gateway.running import RunningGateway, running_gateway
from tests.support.improvement.lab_process import DEADLINE_SECONDS, Lab

from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.core.clock import SystemClock

KILLS, SEED = (int(os.environ.get(name, few)) for name, few in (("KILLS", "4"), ("SEED", "1")))
QUESTIONS = 60


async def _until(gateway: RunningGateway, path: str, done: int) -> dict[str, Any]:
    """The sweep once so many questions are answered, or it is over."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await gateway.call("GET", path)
            if answer.status == 200:
                found: dict[str, Any] = await answer.json()
                if found["done"] >= done or found["status"] not in ("queued", "running"):
                    return found
            await asyncio.sleep(0.05)


async def test_a_sweep_ends_as_if_nobody_had_been_killed(tmp_path: Path) -> None:
    async with _running(tmp_path) as (gateway, lab):
        gateway.seen.hits, gateway.seen.hits_by_mode = [WRONG, RIGHT], {"sparse": [RIGHT, WRONG]}
        found = await _killed(gateway, lab, BODY)
        assert (found["confirmation"]["number"], found["may_apply"]) == (2, True)


async def test_indexes_that_are_tried_are_built_once_and_removed_though_labs_are_killed(tmp_path: Path) -> None:
    async with _running(tmp_path) as (gateway, lab):
        gateway.seen.hits, gateway.seen.hits_by_generation = [WRONG, RIGHT], {n: [RIGHT, WRONG] for n in (2, 4)}
        found = await _killed(gateway, lab, {**BODY, "settings": {"chunk_size": [100, 200]}})
        assert (found["confirmation"]["number"], found["may_apply"]) == (1, True)
        assert list(gateway.seen.reindexes) == [f"{found['id']}.{n}" for n in (1, 2, 3)]
        assert {one["status"] for one in gateway.seen.reindexes.values()} == {"cancelled"}


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[tuple[RunningGateway, Lab]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with running_gateway(folder, limiter=MemoryLimiter(SystemClock()), lab_url=url) as gateway:
        lab = Lab(folder, port, gateway)
        await lab.start()
        try:
            yield gateway, lab
        finally:
            await lab.end(signal.SIGTERM)


async def _killed(gateway: RunningGateway, lab: Lab, body: dict[str, Any]) -> dict[str, Any]:
    """A sweep that has ended well, with all of its questions asked once."""
    chance = random.Random(SEED)
    items = [{"question": f"How long is leave number {n}?", "documents": ["leave"]} for n in range(QUESTIONS)]
    saved = await gateway.call("POST", "/v1/question-sets", json={"name": "policies", "items": items})
    assert saved.status == 201, await saved.text()
    made = await (await gateway.call("POST", "/v1/sweeps", json=body)).json()
    path, step = f"/v1/sweeps/{made['id']}", made["questions"] // (KILLS + 1)
    for kill in range(KILLS):
        await _until(gateway, path, step * kill + chance.randint(1, step))
        await lab.end()
        await lab.start()
    found = await _until(gateway, path, made["questions"] + 1)
    assert found["status"] == "completed", found["error"]
    assert found["done"] == 3 * found["choose_questions"] + 2 * found["confirm_questions"]
    evaluations = [(one["evaluation"], found["choose_questions"]) for one in found["candidates"]]
    confirmed = [found["confirmation"][name] for name in ("evaluation", "served_evaluation")]
    for evaluation, count in [*evaluations, *((one, found["confirm_questions"]) for one in confirmed)]:
        await _asked_once(gateway, evaluation, count)
    return found


async def _asked_once(gateway: RunningGateway, evaluation: str, count: int) -> None:
    page = await (await gateway.call("GET", f"/v1/evaluations/{evaluation}/answers?limit=200")).json()
    asked = Counter(one["question"] for one in page["data"])
    assert (len(asked), set(asked.values())) == (count, {1})
