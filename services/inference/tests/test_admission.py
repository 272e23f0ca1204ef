from __future__ import annotations

import asyncio

import pytest

from inference.admission import Admission
from inference.errors import ModelBusy


async def test_the_line_is_bounded_and_the_refusal_says_when_to_come_back() -> None:
    admission = Admission("talker", places=1, waiting=1)
    leave = await admission.enter()
    waiting = asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    with pytest.raises(ModelBusy) as refused:
        await admission.enter()
    assert int(refused.value.headers()["Retry-After"]) >= 1
    leave()
    (await waiting)()
    assert (admission.running, admission.waiting) == (0, 0)


async def test_leaving_twice_gives_back_one_place() -> None:
    admission = Admission("talker", places=1, waiting=0)
    leave = await admission.enter()
    leave()
    leave()
    await admission.enter()
    with pytest.raises(ModelBusy):
        await admission.enter()


async def test_who_gives_up_waiting_leaves_no_trace() -> None:
    admission = Admission("talker", places=1, waiting=1)
    leave = await admission.enter()
    waiting = asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert admission.waiting == 0
    leave()
    await admission.enter()
    assert admission.running == 1
