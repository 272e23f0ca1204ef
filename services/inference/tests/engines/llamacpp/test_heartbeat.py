from __future__ import annotations

import asyncio

import pytest

from inference.engines.llamacpp.heartbeat import LONGER, Heartbeat
from servicekit.core.errors import ServiceError, UpstreamFailed, UpstreamTimeout

STALLED = 20.0


class Loop:
    """Of llama.cpp: answers once it `turns`, or fails as it is told to."""

    def __init__(self) -> None:
        self.turns = asyncio.Event()
        self.asked = 0
        self.failures: list[ServiceError] = []
        self.heartbeat = Heartbeat(self.ask, STALLED)

    async def ask(self) -> None:
        self.asked += 1
        if self.failures:
            raise self.failures.pop()
        await self.turns.wait()

    async def looks(self, count: int, *, used: float = 0.0, share: float = 0.0) -> list[float]:
        """The silences of a hanging process that so many looks told of, if it takes such a share of a core."""
        found: list[float] = []
        for look in range(count):
            if (silent := self.heartbeat.look(used + share * look)) is not None:
                found.append(silent)
            for _ in range(3):  # the question has its turn
                await asyncio.sleep(0)
        return found


@pytest.fixture
async def loop() -> Loop:
    return Loop()


async def test_a_process_that_is_silent_and_computes_nothing_hangs(loop: Loop) -> None:
    assert await loop.looks(22) == []
    assert loop.asked == 1, "one question at a time"
    assert await loop.looks(1) == [STALLED]
    await loop.heartbeat.stop()


async def test_one_that_answers_never_hangs_and_is_let_rest_in_between(loop: Loop) -> None:
    loop.turns.set()
    assert await loop.looks(1000) == []
    assert 200 < loop.asked < 400
    await loop.heartbeat.stop()


@pytest.mark.parametrize("share", [0.02, 1.0, 64.0])
async def test_one_that_computes_is_slow_and_not_hanging_until_it_has_been_silent_for_much_longer(
    loop: Loop, share: float
) -> None:
    assert await loop.looks(int(LONGER * STALLED), share=share) == []
    assert await loop.looks(5, used=10_000, share=share) != []
    await loop.heartbeat.stop()


async def test_one_that_computed_and_then_hangs_is_found_out_by_its_last_seconds(loop: Loop) -> None:
    assert await loop.looks(100, share=2.0) == []
    assert await loop.looks(19, used=198.0) == []
    assert await loop.looks(2, used=198.0) != []
    await loop.heartbeat.stop()


async def test_one_of_whose_processor_time_nobody_knows_is_given_as_long_as_one_that_computes(loop: Loop) -> None:
    found = []
    for _ in range(int(LONGER * STALLED)):
        found.append(loop.heartbeat.look(None))
        await asyncio.sleep(0)
    assert set(found) == {None}
    await loop.heartbeat.stop()


async def test_a_refusal_is_an_answer_and_a_connection_that_is_not_taken_is_silence(loop: Loop) -> None:
    loop.failures = [UpstreamFailed("It said no.")] * 10
    assert await loop.looks(25) == []
    loop.failures = [UpstreamTimeout("It takes no connection.")] * 10
    assert await loop.looks(25) != []
    await loop.heartbeat.stop()


async def test_the_next_process_begins_with_no_silence(loop: Loop) -> None:
    assert await loop.looks(23) != []
    await loop.heartbeat.stop()
    assert await loop.looks(20) == []
    await loop.heartbeat.stop()
