from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel

from lab.dependencies import Dependencies
from lab.once import make_once, pruning
from servicekit.core.clock import ManualClock
from servicekit.web.idempotency import CallKey


class Numbered(BaseModel):
    number: int


async def test_what_was_answered_is_deleted_after_a_day(opened: Dependencies, clock: ManualClock) -> None:
    store, call, made = opened.tuning.store, CallKey("key_1", "POST /v1/things", "once"), iter(range(1, 9))

    async def make() -> int:
        wanted = Numbered(number=0)
        return (await make_once(store, call, wanted, Numbered, lambda _: Numbered(number=next(made)))).number

    assert [await make(), await make()] == [1, 1]
    await pruning(store).act()
    assert await make() == 1
    clock.advance(timedelta(hours=25).total_seconds())
    await pruning(store).act()
    assert await make() == 2
