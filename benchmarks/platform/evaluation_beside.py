"""`make bench-evaluation-beside [ROUNDS=4] [ROUND_SECONDS=60] [RATE=0.5]`: what an evaluation costs people who ask.

A fresh home is searched, asked and given documents in the shares of `load_mix.MIX`, at a rate that it keeps up with:
alone and beside an evaluation that never ends, in turns, with the same calls in the same order. It prints p95 of both,
and the ratio, which is what to look at: a machine that does other things does them in both.

`INFERENCE_MODELS_FILE=deploy/config/models.scripted.yaml make bench-evaluation-beside` shows queues without the cores
that models use.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from benchmarks.gateway.gateway_load import quantile
from benchmarks.home import Home, fresh_home, write_result
from benchmarks.platform.load_mix import COLLECTION, QUESTIONS, Callers, Done

ROUNDS = int(os.environ.get("ROUNDS", "4"))
ROUND_SECONDS = float(os.environ.get("ROUND_SECONDS", "60"))
RATE = float(os.environ.get("RATE", "0.5"))
SETTLE_SECONDS = 60.0
LIVE = ("queued", "running")
TARGETS = (f"rag:{COLLECTION}", "default")
"""Asked in turn, so that searches and models have both."""
GOAL = 1.10
SET = "beside"
EDITIONS = 10_000
"""Notes that one round may send."""


def main() -> None:
    """Measure, print, keep."""
    with fresh_home() as home:
        result = asyncio.run(measure(home))
    for kind, one in result["kinds"].items():
        told = " · ".join(
            f"{name} {one[name]['p50_ms']:.0f}, {one[name]['p95_ms']:.0f} ms" for name in ("alone", "beside")
        )
        print(f"{kind:>8}: p50, p95 {told} ({one['calls']} calls each): p95 x {one['p95_ratio']:.2f}, goal {GOAL:g}")
    print(f"the evaluations asked {result['asked']} questions meanwhile")
    write_result("evaluation_beside", result)


async def measure(home: Home) -> dict[str, Any]:
    """Rounds alone and beside, in turns."""
    timeout = aiohttp.ClientTimeout(total=None)
    headers = {"Authorization": f"Bearer {home.key}"}
    done: dict[str, list[Done]] = defaultdict(list)
    asked = 0
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        await Callers(home.base_url, home.key, session).prepare()
        api = Api(session, home.base_url, headers)
        items = [{"question": json.loads(line)["question"]} for line in QUESTIONS.read_text().splitlines()]
        await api.call("POST", "/v1/question-sets", {"name": SET, "items": items, "duplicates": "skip"})
        await _round(home, session, 0)  # a model that sleeps is awake then
        for number in range(1, ROUNDS + 1):
            for name in ("alone", "beside") if number % 2 else ("beside", "alone"):
                if name == "alone":
                    done[name] += await _round(home, session, number)
                    continue
                async with api.evaluating() as answered:
                    done[name] += await _round(home, session, number, 1)
                asked += answered[0]
            print(f"round {number} of {ROUNDS}: {len(done['alone'])} and {len(done['beside'])} calls", flush=True)
    errors = {name: [one.error for one in calls if one.error] for name, calls in done.items()}
    return {"rounds": ROUNDS, "rate": RATE, "asked": asked, "errors": errors, "kinds": _compared(done)}


async def _round(home: Home, session: aiohttp.ClientSession, number: int, times: int = 0) -> list[Done]:
    """One round's calls: the same for the same number, but that no document comes twice with the same text."""
    callers = Callers(home.base_url, home.key, session, random.Random(number))
    callers.documents = (2 * number + times + 1) * EDITIONS
    await callers.arrive(RATE, ROUND_SECONDS)
    await callers.settle(SETTLE_SECONDS)
    return callers.done


def _compared(done: dict[str, list[Done]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in ("search", "ask"):
        taken = {
            name: [one.seconds * 1000 for one in calls if one.kind == kind and not one.error]
            for name, calls in done.items()
        }
        figures = {
            name: {"p50_ms": quantile(each, 0.5), "p95_ms": quantile(each, 0.95)} for name, each in taken.items()
        }
        ratio = figures["beside"]["p95_ms"] / figures["alone"]["p95_ms"]
        found[kind] = {"calls": len(taken["alone"]), **figures, "p95_ratio": round(ratio, 3)}
    return found


class Api:
    """The public API, as who starts evaluations sees it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> None:
        self._session, self._url, self._headers = session, url, headers

    async def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The answer; raises for an error."""
        async with self._session.request(method, self._url + path, json=body, headers=self._headers) as answer:
            found: dict[str, Any] = await answer.json()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {found}")
            return found

    @asynccontextmanager
    async def evaluating(self) -> AsyncIterator[list[int]]:
        """An evaluation at work while the block runs, and the next one once it has ended; how many it has asked."""
        answered = [0]
        task = asyncio.create_task(self._evaluate(answered))
        try:
            yield answered
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _evaluate(self, answered: list[int]) -> None:
        number = 0
        while True:
            target = {"model": TARGETS[number % len(TARGETS)], "parameters": {"max_tokens": 64}}
            made = await self.call("POST", "/v1/evaluations", {"question_set": SET, "target": target})
            number += 1
            path, found = f"/v1/evaluations/{made['id']}", made
            try:
                while (found := await self.call("GET", path))["status"] in LIVE:  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                await self.call("POST", f"{path}/cancel")
                while (found := await self.call("GET", path))["status"] in LIVE:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
                raise
            finally:
                answered[0] += found["done"]


if __name__ == "__main__":
    main()
