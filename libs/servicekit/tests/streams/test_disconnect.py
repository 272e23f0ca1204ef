from __future__ import annotations

import asyncio

import pytest

from servicekit.streams.disconnect import CallerLeft, while_connected


async def _never() -> None:
    await asyncio.Event().wait()


async def test_work_is_cancelled_when_its_caller_leaves_and_may_clean_up() -> None:
    ended = asyncio.Event()

    async def leaves() -> None:
        await asyncio.sleep(0)

    with pytest.raises(CallerLeft):
        async with while_connected(leaves()):
            try:
                await _never()
            finally:
                await asyncio.sleep(0)
                ended.set()
    assert ended.is_set()
    await asyncio.sleep(0)  # a cancellation left behind would end this test here


async def test_work_that_is_done_first_keeps_its_result() -> None:
    async with while_connected(_never()):
        result = 7
    assert result == 7


async def test_the_end_of_an_answered_call_is_no_caller_that_left() -> None:
    async def leaves() -> None:
        return

    async with while_connected(leaves(), lambda: True):
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_task_that_is_ended_by_somebody_else_is_cancelled() -> None:
    async def work() -> None:
        async with while_connected(_never()):
            await _never()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_failure_of_the_work_is_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        async with while_connected(_never()):
            raise ZeroDivisionError
