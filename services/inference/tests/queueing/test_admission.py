from __future__ import annotations

import asyncio
import random

import pytest
from structlog.contextvars import bound_contextvars

from inference.errors import ModelBusy
from inference.queueing.admission import Admission


class FakeBacklog:
    """A `Backlog` as full as a test says."""

    def __init__(self) -> None:
        self.full_now = False
        self.entries = 0

    def is_full(self) -> bool:
        return self.full_now

    def add(self) -> None:
        self.entries += 1


async def test_the_line_is_bounded_and_the_refusal_says_when_to_come_back() -> None:
    admission = Admission("talker", slots=1, waiting=1)
    release = await admission.enter()
    waiting = asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    with pytest.raises(ModelBusy) as refused:
        await admission.enter()
    assert int(refused.value.headers()["Retry-After"]) >= 1
    release()
    (await waiting)()
    assert (admission.running, admission.waiting) == (0, 0)


async def test_the_line_is_bounded_by_tokens_too_but_lets_one_long_call_wait() -> None:
    admission = Admission("talker", slots=1, waiting=10, waiting_tokens=100)
    release = await admission.enter(1000)
    long = asyncio.create_task(admission.enter(500))
    await asyncio.sleep(0)
    with pytest.raises(ModelBusy):
        await admission.enter(1)
    release()
    release = await long
    waiting = [asyncio.create_task(admission.enter(50)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ModelBusy):
        await admission.enter(1)
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    shorter = asyncio.create_task(admission.enter(50))
    await asyncio.sleep(0)
    release()
    (await waiting[1])()
    (await shorter)()
    assert (admission.running, admission.waiting) == (0, 0)


async def test_nobody_is_let_in_while_the_engines_own_line_is_full() -> None:
    backlog = FakeBacklog()
    admission = Admission("talker", slots=8, waiting=8, backlog=backlog)
    release = await admission.enter()
    backlog.full_now = True
    with pytest.raises(ModelBusy):
        await admission.enter()
    backlog.full_now = False
    (await admission.enter())()
    release()
    assert backlog.entries == 2


async def test_leaving_twice_gives_back_one_place() -> None:
    admission = Admission("talker", slots=1, waiting=0)
    release = await admission.enter()
    release()
    release()
    again = await admission.enter()
    with pytest.raises(ModelBusy):
        await admission.enter()
    again()


async def test_who_gives_up_waiting_leaves_no_trace() -> None:
    admission = Admission("talker", slots=1, waiting=1)
    release = await admission.enter()
    waiting = asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert admission.waiting == 0
    release()
    again = await admission.enter()
    assert admission.running == 1
    again()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_place_is_lost_after_a_thousand_random_cancels(seed: int) -> None:
    chance = random.Random(seed)
    admission = Admission("talker", slots=3, waiting=1000, waiting_tokens=1_000_000, reserved=seed - 1)
    inside = most = 0

    async def call(steps: int) -> None:
        nonlocal inside, most
        release = await admission.enter(steps, bulk=steps % 2 == 0)
        inside += 1
        most = max(most, inside)
        try:
            for _ in range(steps):
                await asyncio.sleep(0)
        finally:
            inside -= 1
            release()

    tasks: list[asyncio.Task[None]] = []
    for _ in range(1000):
        tasks.append(asyncio.create_task(call(chance.randrange(5))))
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        if chance.random() < 0.7:
            chance.choice(tasks).cancel()
    for task in tasks:
        if chance.random() < 0.5:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 3
    assert (admission.running, admission.waiting) == (0, 0)
    leaves = [await asyncio.wait_for(admission.enter(), 60) for _ in range(3)]
    assert admission.running == 3
    for release in leaves:
        release()


async def test_a_query_goes_before_bulk_which_leaves_a_place_free_and_has_a_line_of_its_own() -> None:
    admission = Admission("words", slots=3, waiting=2, reserved=1)
    inside = [await admission.enter(bulk=True) for _ in range(2)]
    bulk = [asyncio.create_task(admission.enter(bulk=True)) for _ in range(2)]
    await asyncio.sleep(0)
    assert (admission.running, admission.waiting) == (2, 2)
    with pytest.raises(ModelBusy):
        await admission.enter(bulk=True)
    inside.append(await admission.enter())  # the place that bulk leaves free
    query = asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    inside.pop()()
    inside.append(await query)  # it came later than the bulk that waits
    assert not any(task.done() for task in bulk)
    for release in inside:
        release()
    for release in await asyncio.gather(*bulk):
        release()
    assert (admission.running, admission.waiting) == (0, 0)


async def test_a_call_whose_token_says_bulk_waits_for_every_other_one() -> None:
    admission = Admission("talker", slots=1, waiting=5)
    release = await admission.enter()
    with bound_contextvars(bulk=True):
        of_a_job = asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    person = asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    release()
    release = await person
    assert not of_a_job.done()
    release()
    (await of_a_job)()


async def test_who_has_a_turn_is_counted_before_it_comes_for_its_place() -> None:
    admission = Admission("talker", slots=1, waiting=1, waiting_tokens=100)
    first, second = admission.join(50), admission.join(50)
    with pytest.raises(ModelBusy):
        admission.join(1)
    second.release()
    third = admission.join(1)
    await third.wait()
    assert (admission.running, admission.waiting) == (1, 1)
    third.release()
    await first.wait()
    first.release()
    first.release()
    assert (admission.running, admission.waiting) == (0, 0)


async def test_a_turn_that_is_cancelled_at_the_moment_when_its_place_comes_gives_it_on() -> None:
    admission = Admission("talker", slots=1, waiting=5)
    release = await admission.enter()
    waiting, next_one = asyncio.create_task(admission.enter()), asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    release()
    waiting.cancel()
    (await asyncio.wait_for(next_one, 60))()
    assert (admission.running, admission.waiting) == (0, 0)
    release = await admission.enter()
    waiting, next_one = asyncio.create_task(admission.enter()), asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    release()
    (await asyncio.wait_for(next_one, 60))()
    assert (admission.running, admission.waiting) == (0, 0)


async def as_tenant(admission: Admission, tenant: str, done: list[str]) -> None:
    """One call of a tenant's, that holds its place for one turn of the loop."""
    with bound_contextvars(tenant=tenant):
        release = await admission.enter()
    done.append(tenant)
    release()


async def test_a_place_that_becomes_free_is_for_the_tenant_that_holds_fewest() -> None:
    admission, done = Admission("talker", slots=1, waiting=8), list[str]()
    release = await admission.enter()
    calls = [asyncio.create_task(as_tenant(admission, tenant, done)) for tenant in ("acme",) * 5 + ("beta",) * 2]
    await asyncio.sleep(0)
    release()
    await asyncio.gather(*calls)
    assert done == ["acme", "beta", "acme", "beta", "acme", "acme", "acme"]


async def test_a_line_that_one_tenant_fills_has_room_for_another_one() -> None:
    admission, done = Admission("talker", slots=1, waiting=2), list[str]()
    release = await admission.enter()
    calls = [asyncio.create_task(as_tenant(admission, "acme", done)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ModelBusy):
        await as_tenant(admission, "acme", done)
    calls.append(asyncio.create_task(as_tenant(admission, "beta", done)))
    await asyncio.sleep(0)
    release()
    await asyncio.gather(*calls)
    assert sorted(done) == ["acme", "acme", "beta"]


async def test_the_line_is_bounded_however_many_tenants_there_are() -> None:
    admission, done = Admission("talker", slots=1, waiting=2), list[str]()
    release = await admission.enter()
    calls = [asyncio.create_task(as_tenant(admission, f"tenant{number}", done)) for number in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(ModelBusy):
        await as_tenant(admission, "one-more", done)
    release()
    await asyncio.gather(*calls)
