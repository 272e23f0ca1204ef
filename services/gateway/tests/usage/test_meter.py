from __future__ import annotations

import asyncio

import pytest
from services.gateway.tests.usage.replica import KEY, MODEL, NEED, Replica

from contracts.access.keys import Limits
from gateway.auth.keys import Principal
from gateway.limits.errors import CallTooLarge, TooManyRequests
from gateway.limits.limiter import BudgetBalance
from gateway.limits.reservations import MaxUsage
from gateway.usage.records import CUT
from servicekit.core.clock import ManualClock
from servicekit.core.errors import NotReady

FREE = MaxUsage(MODEL, 10, 40, cost=0)


def _limited(**limits: int) -> Principal:
    return Principal("k1", "acme", frozenset({"chat"}), limits=Limits(**limits))


async def test_a_call_is_in_the_ledger_before_it_begins_and_its_reservation_goes_when_it_ends(
    replica: Replica,
) -> None:
    async with replica.call() as call:
        await call.reserve(NEED)
        assert await replica.held() == 1
        call.tokens.completion, call.cost = 7, 70
    await replica.ledger.close()
    assert await replica.held() == 0
    assert [(row["completion_tokens"], row["cost_nano_usd"]) for row in await replica.rows()] == [(7, 70)]


async def test_what_can_cost_nothing_needs_no_reservation(replica: Replica) -> None:
    async with replica.call() as call:
        await call.reserve(MaxUsage(MODEL, 10, 40, cost=0))
        assert await replica.held() == 0


async def test_a_failed_attempt_is_a_row_of_its_own_with_its_cost_and_the_call_is_one_request(
    replica: Replica, clock: ManualClock
) -> None:
    async with replica.call() as call:
        await call.reserve(NEED)
        call.model, call.tokens.prompt, call.cost = "first", 10, 10_000
        await call.abandon_attempt(502, "upstream_error")
        call.model = "second"
        await call.reserve(NEED)
        call.tokens.prompt, call.tokens.completion, call.cost = 10, 5, 15_000
    await replica.ledger.close()
    first, second = sorted(await replica.rows(), key=lambda row: int(row["attempt"]))
    assert [(row["attempt"], row["model"], row["cost_nano_usd"]) for row in (first, second)] == [
        (1, "first", 10_000), (2, "second", 15_000),
    ]  # fmt: skip
    assert (first["parent_id"], second["parent_id"]) == (call.id, None)
    assert await replica.held() == 0
    await replica.admission.drain()
    assert await replica.get_balance(clock) == BudgetBalance(25_000, {})


async def test_a_call_that_is_refused_before_it_begins_writes_no_row(replica: Replica) -> None:
    key = _limited(requests_per_minute=1)
    async with replica.meter.call(key, "chat", "req_1") as let_in:
        await let_in.reserve(FREE)
    with pytest.raises(TooManyRequests):
        async with replica.meter.call(key, "chat", "req_2") as refused:
            await refused.reserve(FREE)
    await replica.ledger.close()
    assert [row["request_id"] for row in await replica.rows()] == ["req_1"]


@pytest.mark.parametrize(
    ("error", "parent", "status", "error_type"),
    [
        (NotReady("x"), None, 503, "overloaded"),
        (asyncio.CancelledError(), None, 499, "client_disconnected"),
        (asyncio.CancelledError(), "call_0", 200, CUT),
        (KeyError("x"), None, 500, "internal"),
    ],
)
async def test_a_call_is_recorded_however_it_ends(
    replica: Replica, error: BaseException, parent: str | None, status: int, error_type: str
) -> None:
    with pytest.raises(type(error)):
        async with replica.meter.call(KEY, "chat", "req_1", parent) as call:
            await call.reserve(NEED)
            raise error
    assert replica.meter.is_idle
    await replica.ledger.close()
    (row,) = await replica.rows()
    assert (row["status"], row["error_type"], row["parent_id"]) == (status, error_type, parent)
    assert await replica.held() == 0


async def test_a_request_whose_body_asks_for_too_much_uses_up_none_of_its_limit(replica: Replica) -> None:
    key = _limited(requests_per_minute=1, tokens_per_minute=10)
    for _ in range(3):
        with pytest.raises(CallTooLarge):
            async with replica.meter.call(key, "chat", "req_1") as call:
                await call.enter()
                await call.reserve(FREE)
        await replica.admission.drain()
    async with replica.meter.call(key, "chat", "req_1") as call:
        headers = await call.enter()
    assert headers["X-RateLimit-Remaining-Requests"] == "0"
    await replica.ledger.close()
    assert len(await replica.rows()) == 1


async def test_a_call_that_only_asks_keeps_its_slot_until_its_end_and_nothing_else(replica: Replica) -> None:
    key = _limited(concurrency=1, tokens_per_minute=100)
    async with replica.meter.call(key, "chat", "req_1") as call:
        await call.ask(FREE)
        await replica.admission.drain()
        inside = replica.meter.call(key, "chat", "req_1", call.id)
        async with inside:
            assert (await inside.reserve(MaxUsage(MODEL, 60, 40, cost=0)))["X-RateLimit-Remaining-Tokens"] == "0"
        assert call.is_reserved
        await call.finish()
    await replica.admission.drain()
    async with replica.meter.call(key, "chat", "req_2") as call:
        await call.enter()


async def test_what_nobody_will_tell_is_billed_as_it_was_let_in(replica: Replica) -> None:
    async with replica.call() as call:
        await call.reserve(NEED)
        call.bill_as_reserved()
    async with replica.call() as call:
        call.bill_as_reserved()  # it was never let in
    await replica.ledger.close()
    billed = {(row["prompt_tokens"], row["completion_tokens"], row["cost_nano_usd"]) for row in await replica.rows()}
    assert billed == {(10, 40, 50_000), (0, 0, 0)}
    assert all(row["estimated"] for row in await replica.rows())


async def test_once_a_parts_cost_is_unknown_so_is_that_of_the_whole_call(replica: Replica) -> None:
    call = replica.call()
    for cost in (5, None, 7):
        call.add_cost(cost)
    assert call.cost is None


async def test_a_models_name_is_kept_as_every_database_takes_it(replica: Replica) -> None:
    long = ",".join(f"{number:063}" for number in range(4))
    for name in ("m\0d", "é" * 500, f"rag:{long}"):
        async with replica.call() as call:
            call.model = name
    await replica.ledger.close()
    assert {row["model"] for row in await replica.rows()} == {
        "md", "é" * 200, f"rag:{long[: 3 * 64 - 1]}",
    }, "a part of a collection's name names another one"  # fmt: skip


async def test_who_waits_for_the_calls_inside_one_goes_on_when_the_last_has_ended(replica: Replica) -> None:
    inside = [replica.meter.call(KEY, "chat", "req_1", "call_0") for _ in range(2)]
    for call in inside:
        await call.__aenter__()
    waiting = asyncio.create_task(replica.meter.wait_for_inner("call_0", 60))
    await inside[0].__aexit__(None, None, None)
    assert not waiting.done()
    await inside[1].__aexit__(None, None, None)
    await waiting
    await replica.meter.wait_for_inner("call_0", 60)
    await replica.meter.wait_for_inner("never there", 60)
    await replica.ledger.close()
    assert len(await replica.rows()) == 2, "each was committed before it counted as ended"


async def test_a_call_that_waits_for_others_is_bounded_in_that(replica: Replica) -> None:
    async with replica.meter.call(KEY, "chat", "req_1", "call_0"):
        await replica.meter.wait_for_inner("call_0", 0)
        assert not replica.meter.is_idle
    await replica.meter.wait_until_idle()
    assert replica.meter.is_idle
