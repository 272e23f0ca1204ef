from __future__ import annotations

import asyncio

from agent.mcp.cancellation import name_of, unless_cancelled
from servicekit.jobs.notifier import LocalNotifier


async def _never() -> None:
    await asyncio.Event().wait()


async def test_work_that_is_cancelled_by_its_name_is_ended_and_gives_nothing() -> None:
    notifier, started, ended = LocalNotifier(), asyncio.Event(), asyncio.Event()

    async def work() -> str:
        started.set()
        try:
            await _never()
        finally:
            ended.set()
        return "done"

    call = asyncio.ensure_future(unless_cancelled(notifier, "call", _never(), work()))
    await started.wait()
    notifier.notify("another call")
    notifier.notify("call")
    assert await call is None
    assert ended.is_set()


async def test_work_ends_when_its_client_leaves_and_else_gives_its_result() -> None:
    async def now() -> None:
        return

    async def work() -> str:
        return "done"

    assert await unless_cancelled(LocalNotifier(), None, _never(), work()) == "done"
    assert await unless_cancelled(LocalNotifier(), None, now(), _never()) is None


def test_a_number_and_its_digits_name_two_calls_of_a_session() -> None:
    assert (
        len({name_of("key", "s", 1), name_of("key", "s", "1"), name_of("key", "t", 1), name_of("other", "s", 1)}) == 4
    )
    assert name_of("key", None, 1) is None
    assert name_of("key", "s", None) is None
