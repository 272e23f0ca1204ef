from __future__ import annotations

import asyncio

import pytest

from inference.errors import ModelBusy, ModelNotReady, Unsupported
from inference.queueing.liveness import InFlightCalls, Liveness, LivenessMonitor


class Model:
    """Something that can be asked, be busy, or hang."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.busy = False
        self.fails: Exception | None = None
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
        if self.fails is not None:
            raise self.fails
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
    model.liveness.record_progress()
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


async def test_a_model_that_is_too_busy_for_a_question_must_show_progress(model: Model) -> None:
    model.fails = ModelBusy("talker", 1)
    await model.liveness.check()
    model.now += 61
    with pytest.raises(ModelNotReady, match="no progress"):
        await model.liveness.check()
    model.liveness.record_progress()
    await model.liveness.check()


async def test_a_model_that_refuses_so_small_a_question_lives(model: Model) -> None:
    model.fails = Unsupported("max_tokens")
    await model.liveness.check()
    model.fails = RuntimeError("gone")
    model.now += 21
    with pytest.raises(RuntimeError):
        await model.liveness.check()


def test_work_is_silent_only_while_there_are_calls_and_nothing_comes() -> None:
    now = [100.0]
    work = InFlightCalls(lambda: now[0])
    now[0] += 50
    assert work.silent_seconds() == 0
    work.begin()
    now[0] += 5
    assert work.silent_seconds() == 5
    with work.call():
        now[0] += 5
        assert work.silent_seconds() == 10  # a call that comes later is no sign of life
        work.progress()
        now[0] += 1
    assert work.silent_seconds() == 1
    work.end()
    assert work.silent_seconds() == 0


async def test_the_watch_goes_on_whatever_a_probe_raises() -> None:
    failures = [RuntimeError("odd"), ModelNotReady("talker", "it is away"), TimeoutError()]
    asked = asyncio.Event()

    async def probe() -> None:
        if failures:
            raise failures.pop()
        asked.set()

    watching = asyncio.create_task(LivenessMonitor("talker", probe, every_seconds=0.001).run())
    async with asyncio.timeout(60):
        await asked.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_model_whose_call_failed_is_asked_again_however_lately_it_answered(model: Model) -> None:
    await model.liveness.check()
    model.liveness.invalidate()
    model.fails = RuntimeError("gone")
    with pytest.raises(RuntimeError):
        await model.liveness.check()
    assert model.asked == 2
