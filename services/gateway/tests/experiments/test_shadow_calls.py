from __future__ import annotations

import asyncio

from gateway.experiments.shadow_calls import ShadowCalls


async def test_no_more_shadows_are_asked_at_once_than_there_is_room_for() -> None:
    calls, held, done = ShadowCalls(2), asyncio.Event(), []

    async def ask(number: int) -> None:
        await held.wait()
        done.append(number)

    assert [calls.start(ask(number)) for number in range(3)] == [True, True, False]
    held.set()
    await calls.wait()
    assert done == [0, 1]
    assert calls.start(ask(3))
    await calls.wait()
    assert done == [0, 1, 3]


async def test_a_gateway_that_stops_waits_for_no_shadow() -> None:
    async with ShadowCalls(1) as calls:
        assert calls.start(asyncio.Event().wait())  # for ever
    await calls.wait()
