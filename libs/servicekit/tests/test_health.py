from __future__ import annotations

import asyncio

import pytest

from servicekit import health
from servicekit.errors import NotReady


async def test_a_probe_that_takes_too_long_is_ended_and_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.01)
    ended = asyncio.Event()

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    states = await health.run_probes({"part": hangs})
    assert (states["part"].ok, states["part"].detail) == (False, "no answer within 0.01 s")
    await asyncio.wait_for(ended.wait(), 30)


async def test_a_probe_that_fails_as_its_time_is_up_cancels_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.0)

    async def fails() -> None:
        await asyncio.sleep(0)
        raise NotReady("It is away.")

    for _ in range(20):
        states = await health.run_probes({"part": fails, "other": fails})
        assert not states["part"].ok
        await asyncio.sleep(0)  # a cancellation left behind would end this test here
