from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from services.inference.tests.engines.wrappers.test_on_demand import Inner

from inference.engines.wrappers.on_demand import OnDemandEmbedding
from inference.engines.wrappers.places import IDLE_SECONDS, Places
from inference.errors import ModelNotReady
from inference.protocol.engines import NO_EXTRA_FIELDS, EmbeddingResult, ExtraFields, Priority


class Opened(Inner):
    """One that is loaded at once, and answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_open.set()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = asyncio.Event()

    async def embed(
        self, texts: Sequence[str], priority: Priority, extra: ExtraFields = NO_EXTRA_FIELDS
    ) -> EmbeddingResult:
        assert self.opened == self.closed + 1, "it is not loaded"
        self.asked.set()
        await self.may_answer.wait()
        assert self.opened == self.closed + 1, "it was let go while it answers"
        return await super().embed(texts, priority, extra)


class Model:
    """One that takes a place while it is loaded."""

    def __init__(self, places: Places, tenant: str = "acme") -> None:
        self.inner = Opened()
        self.engine = OnDemandEmbedding(
            "m", self.inner, check=lambda: None, places=places, tenant=tenant, retry_seconds=0
        )

    async def ask(self) -> None:
        async with asyncio.timeout(60):
            assert (await self.engine.embed(["a"], "query")).tokens == 1

    @property
    def counts(self) -> tuple[int, int]:
        return self.inner.opened, self.inner.closed


async def test_the_one_that_was_asked_longest_ago_is_let_go_and_loaded_again_by_its_next_call() -> None:
    places = Places(2)
    first, second, third = models = [Model(places) for _ in range(3)]
    for model in (first, second, first, third):
        await model.ask()
    assert [model.engine.is_loaded for model in models] == [True, False, True]
    assert second.counts == (1, 1)
    await second.engine.probe()
    assert not second.engine.is_loaded, "a probe does not load it"
    await second.ask()
    assert [model.engine.is_loaded for model in models] == [False, True, True]
    assert [model.counts for model in models] == [(1, 1), (2, 1), (1, 0)]


async def test_a_tenant_that_asks_three_by_turns_lets_its_own_go_and_nobody_elses() -> None:
    places, three = Places(2), range(3)
    other, theirs = Model(places, "other"), [Model(places) for _ in three]
    for turn in range(4):
        for model in theirs:
            await model.ask()
        await other.ask()
        assert other.counts == (1, 0), turn
    assert [model.engine.is_loaded for model in theirs] == [False, False, True]


async def test_one_that_nobody_asks_for_a_while_is_anybodys_until_it_is_asked_again() -> None:
    now = [0.0]
    places = Places(2, lambda: now[0])
    other, first, second = Model(places, "other"), Model(places), Model(places)
    await other.ask()
    await first.ask()
    now[0] += IDLE_SECONDS - 1
    await second.ask()
    assert [one.engine.is_loaded for one in (other, first, second)] == [True, False, True]
    now[0] += 1
    await first.ask()
    assert [one.engine.is_loaded for one in (other, first, second)] == [False, True, True]
    await other.ask()
    assert [one.engine.is_loaded for one in (other, first, second)] == [True, True, False]
    assert other.counts == (2, 1)


async def test_it_is_not_let_go_while_it_answers_and_calls_that_come_meanwhile_are_answered_after() -> None:
    places = Places(1)
    first, second = Model(places), Model(places)
    first.inner.may_answer.clear()
    answering = asyncio.create_task(first.ask())
    await first.inner.asked.wait()
    other = asyncio.create_task(second.ask())
    await asyncio.sleep(0.05)
    assert (first.counts, second.counts) == ((1, 0), (0, 0))
    later = asyncio.create_task(first.ask())
    first.inner.may_answer.set()
    await asyncio.gather(answering, other, later)
    assert (first.counts, second.counts) == ((2, 1), (1, 1))


async def test_who_is_being_loaded_answers_those_who_wait_before_it_is_let_go() -> None:
    places = Places(1)
    models = [Model(places) for _ in range(4)]
    await asyncio.gather(*(model.ask() for model in models for _ in range(3)))
    assert [model.engine.is_loaded for model in models] == [False, False, False, True]
    assert [model.counts for model in models] == [(1, 1), (1, 1), (1, 1), (1, 0)]


async def test_a_call_that_takes_too_long_does_not_keep_the_place_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.engines.wrappers.on_demand.ENDING_SECONDS", 0.01)
    places = Places(1)
    first, second = Model(places), Model(places)
    first.inner.may_answer.clear()
    hanging = asyncio.create_task(first.ask())
    await first.inner.asked.wait()
    await second.ask()
    assert first.counts == (1, 1)
    hanging.cancel()


async def test_one_that_fails_to_load_or_is_closed_gives_its_place_back() -> None:
    places = Places(1)
    first, second = Model(places), Model(places)
    first.inner.failure = RuntimeError("odd")
    with pytest.raises(ModelNotReady):
        await first.engine.load()
    assert first.counts == (1, 1), "what it may have taken is freed"
    first.inner.failure = None
    await second.ask()
    await first.ask()
    assert second.counts == (1, 1)
    await first.engine.close()
    await second.ask()
    assert (first.counts, second.counts) == ((2, 2), (2, 1)), "nobody had to be let go"


async def test_one_that_answers_is_not_let_go_where_another_answers_nobody() -> None:
    places = Places(2)
    busy, quiet, third = Model(places), Model(places, "other"), Model(places, "third")
    busy.inner.may_answer.clear()
    answering = asyncio.create_task(busy.ask())
    await busy.inner.asked.wait()
    await quiet.ask()
    await third.ask()
    assert (busy.counts, quiet.counts, third.counts) == ((1, 0), (1, 1), (1, 0))
    busy.inner.may_answer.set()
    await answering


async def test_a_tenant_that_waits_for_a_call_of_its_own_keeps_no_other_waiting() -> None:
    places = Places(2)
    busy, second = (Model(places) for _ in range(2))
    other, others = (Model(places, "other") for _ in range(2))
    busy.inner.may_answer.clear()
    answering = asyncio.create_task(busy.ask())
    await busy.inner.asked.wait()
    await other.ask()
    waiting = asyncio.create_task(second.ask())
    await asyncio.sleep(0.05)
    await others.ask()
    assert (second.counts, other.counts, others.counts) == ((0, 0), (1, 1), (1, 0))
    again = asyncio.create_task(busy.ask())
    await asyncio.sleep(0.05)
    assert busy.counts == (1, 0), "its next call waits until it has been let go"
    busy.inner.may_answer.set()
    await asyncio.gather(answering, waiting, again)
    assert (busy.counts, second.counts, others.counts) == ((2, 1), (1, 1), (1, 0))


async def test_idle_is_one_that_has_answered_nobody_for_a_while_and_answers_nobody_now() -> None:
    now = [0.0]
    places = Places(2, lambda: now[0])
    long, first, second = Model(places, "other"), Model(places), Model(places)
    long.inner.may_answer.clear()
    answering = asyncio.create_task(long.ask())
    await long.inner.asked.wait()
    now[0] += IDLE_SECONDS
    await first.ask()
    await second.ask()
    assert [one.engine.is_loaded for one in (long, first, second)] == [True, False, True], "it answers"
    now[0] += IDLE_SECONDS
    long.inner.may_answer.set()
    await answering
    await second.ask()
    await first.ask()
    assert [one.engine.is_loaded for one in (long, first, second)] == [True, True, False], "it has just answered"
    assert long.counts == (1, 0)


async def test_many_of_a_tenant_that_wait_do_not_stand_before_anothers_one() -> None:
    places = Places(1)
    order: list[str] = []

    async def ask(name: str, model: Model) -> None:
        await model.ask()
        order.append(name)

    first = Model(places)
    first.inner.may_answer.clear()
    asking = [asyncio.create_task(ask("acme", first))]
    await first.inner.asked.wait()
    asking += [asyncio.create_task(ask("acme", Model(places))) for _ in range(20)]
    await asyncio.sleep(0.05)
    asking.append(asyncio.create_task(ask("other", Model(places, "other"))))
    await asyncio.sleep(0.05)
    first.inner.may_answer.set()
    await asyncio.gather(*asking)
    assert order.index("other") <= 2, order
    assert len(order) == 22
