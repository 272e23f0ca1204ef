from __future__ import annotations

import asyncio

import pytest

from servicekit.core import probes
from servicekit.core.errors import NotReady


async def test_a_probe_that_takes_too_long_is_ended_and_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PROBE_SECONDS", 0.01)
    ended = asyncio.Event()

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    states = await probes.run_probes({"part": hangs})
    assert (states["part"].ok, states["part"].detail) == (False, "no answer within 0.01 s")
    await asyncio.wait_for(ended.wait(), 60)


async def test_a_probe_that_fails_as_its_time_is_up_cancels_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PROBE_SECONDS", 0.0)

    async def fails() -> None:
        await asyncio.sleep(0)
        raise NotReady("It is away.")

    for _ in range(20):
        states = await probes.run_probes({"part": fails, "other": fails})
        assert not states["part"].ok
        await asyncio.sleep(0)  # a cancellation left behind would end this test here


async def test_readiness_is_asked_once_for_all_who_want_to_know_and_remembered_for_a_while() -> None:
    asked, may_answer = 0, asyncio.Event()

    async def probe() -> None:
        nonlocal asked
        asked += 1
        await may_answer.wait()

    for seconds, afterwards in ((0.0, 2), (3600.0, 1)):
        asked = 0
        readiness = probes.Readiness(seconds)
        may_answer.clear()
        callers = [asyncio.create_task(readiness.parts({"part": probe})) for _ in range(50)]
        leaves = asyncio.create_task(readiness.parts({"part": probe}))
        await asyncio.sleep(0)
        leaves.cancel()  # who leaves takes nobody else's answer away
        may_answer.set()
        states = await asyncio.gather(*callers)
        assert all(state["part"].ok for state in states)
        assert asked == 1
        await readiness.parts({"part": probe})
        assert asked == afterwards
