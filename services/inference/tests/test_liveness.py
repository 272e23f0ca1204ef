from __future__ import annotations

import asyncio

import pytest

from inference.errors import ModelNotReady
from inference.liveness import Liveness


class Model:
    """Something that can be asked, be busy, or hang."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.busy = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.liveness = Liveness(
            "talker",
            ask=self.ask,
            busy=lambda: self.busy,
            fresh_seconds=20,
            stalled_seconds=60,
            now=lambda: self.now,
        )

    async def ask(self) -> None:
        self.asked += 1
        busy, self.busy = self.busy, True  # a question is work, too
        await self.answers.wait()
        self.busy = busy


@pytest.fixture
async def model() -> Model:
    return Model()


async def test_a_model_that_just_answered_is_not_asked_again(model: Model) -> None:
    await model.liveness.check()
    model.now += 19
    await model.liveness.check()
    assert model.asked == 1
    model.now += 2
    await model.liveness.check()
    assert model.asked == 2


async def test_a_busy_model_is_not_asked_while_it_makes_progress_but_is_stalled_without(model: Model) -> None:
    await model.liveness.check()
    model.busy = True
    model.now += 30
    await model.liveness.check()
    model.now += 61
    with pytest.raises(ModelNotReady, match="no progress for 61 s"):
        await model.liveness.check()
    model.liveness.progressed()
    await model.liveness.check()
    assert model.asked == 1


async def test_one_question_at_a_time_and_a_prober_that_gives_up_does_not_undo_it(model: Model) -> None:
    model.answers.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await model.liveness.check()
    waiting = asyncio.create_task(model.liveness.check())
    await asyncio.sleep(0)
    model.answers.set()
    await waiting
    assert model.asked == 1
    await model.liveness.close()


async def test_a_second_prober_after_a_quiet_time_waits_for_the_firsts_question(model: Model) -> None:
    await model.liveness.check()
    model.now += 100
    model.answers.clear()
    probers = [asyncio.create_task(model.liveness.check()) for _ in range(2)]
    await asyncio.sleep(0)
    model.answers.set()
    await asyncio.gather(*probers)
    assert model.asked == 2


async def test_the_first_call_after_a_quiet_time_is_not_taken_for_a_stall(model: Model) -> None:
    await model.liveness.check()
    model.now += 100
    model.busy = True
    await model.liveness.check()
    model.now += 59
    await model.liveness.check()
