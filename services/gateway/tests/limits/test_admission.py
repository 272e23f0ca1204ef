from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from contracts.access.keys import Budget, Limits
from contracts.models.catalog import ModelInfo, ModelPrice
from gateway.auth.keys import Principal
from gateway.limits.admission import Admission, WhenUnavailable
from gateway.limits.budget_repository import BudgetRepository
from gateway.limits.errors import (
    BudgetExceeded,
    CallTooLarge,
    LimitsUnavailable,
    PriceUnknown,
    TooManyAtOnce,
    TooManyRequests,
    TooManyTokens,
)
from gateway.limits.limiter import Gate, LimiterUnavailable, Settlement, Spent, Verdict
from gateway.limits.memory_limiter import MemoryLimiter
from gateway.limits.reservations import NO_USAGE, MaxUsage, Reservation
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

PRICE = ModelPrice(prompt_usd_per_million=Decimal(1), completion_usd_per_million=Decimal(1))
MODEL = ModelInfo(id="m", kind="chat", price=PRICE)


class AwayLimiter(MemoryLimiter):
    """A limiter that can be switched off; it counts how often it was asked."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.away, self.asked = True, 0

    async def reserve(self, attempt_id: str, gates: Any, needs: Any) -> Verdict:
        self.asked += 1
        if self.away:
            raise LimiterUnavailable("connection refused")
        return await super().reserve(attempt_id, gates, needs)

    async def settle(self, settlement: Settlement, gates: Any) -> list[Spent]:
        if self.away:
            raise LimiterUnavailable("connection refused")
        return await super().settle(settlement, gates)


class SlowLimiter(MemoryLimiter):
    """A limiter that charges, and answers only when it is let."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.answer = asyncio.Event()
        self.charged = asyncio.Event()

    async def reserve(self, attempt_id: str, gates: Any, needs: Any) -> Verdict:
        verdict = await super().reserve(attempt_id, gates, needs)
        self.charged.set()
        await self.answer.wait()
        return verdict


class Gatekeeper:
    """An admission with the ledger and the limiter that it was given; each attempt gets the next number."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock, self.number = database, clock, 0
        self.limiter: MemoryLimiter = MemoryLimiter(clock)
        self.when_unavailable: WhenUnavailable = "allow"
        self._admission: Admission | None = None

    @property
    def admission(self) -> Admission:
        if self._admission is None:
            self._admission = Admission(
                self.limiter, BudgetRepository(self.database), self.when_unavailable, self.clock
            )
        return self._admission

    async def admit(
        self, principal: Principal, max_usage: MaxUsage = NO_USAGE, *, opens_call: bool = True
    ) -> Reservation:
        self.number += 1
        return await self.admission.reserve(
            principal, f"c{self.number}", max_usage, self.clock.now(), opens_call=opens_call
        )

    async def settle(self, held: Reservation, tokens: int = 0, cost: int = 0) -> None:
        await self.admission.settle(held, tokens, cost, ends_call=True)


@pytest.fixture
async def door(database: Database, clock: ManualClock) -> AsyncIterator[Gatekeeper]:
    door = Gatekeeper(database, clock)
    yield door
    await door.admission.drain()


def _key(limit: int | None = None, tenant_limit: int | None = None, key_id: str = "k1", **more: Any) -> Principal:
    return Principal(
        key_id,
        "acme",
        frozenset({"chat"}),
        limits=Limits(requests_per_minute=limit),
        tenant_limits=Limits(requests_per_minute=tenant_limit),
        **more,
    )


def _limited(**limits: int) -> Principal:
    return Principal("k1", "acme", frozenset({"chat"}), limits=Limits(**limits))


def _need(prompt: int, completion: int, model: ModelInfo = MODEL, **more: Any) -> MaxUsage:
    return MaxUsage.of_model(model, prompt, completion, **more)


async def test_a_key_without_limits_is_never_asked_about(door: Gatekeeper, clock: ManualClock) -> None:
    limiter = door.limiter = AwayLimiter(clock)
    door.when_unavailable = "refuse"
    assert (await door.admit(_key())).headers == {}
    assert limiter.asked == 0


async def test_a_limit_lets_in_exactly_its_number_and_says_when_to_come_back(
    door: Gatekeeper, clock: ManualClock
) -> None:
    remaining = []
    for _ in range(3):
        remaining.append((await door.admit(_key(3))).headers["X-RateLimit-Remaining-Requests"])
        clock.advance(10)
    assert remaining == ["2", "1", "0"]
    with pytest.raises(TooManyRequests) as refused:
        await door.admit(_key(3))
    headers = refused.value.headers()
    assert headers["Retry-After"] == "30"  # the first of the three leaves the window 60 s after it came
    assert headers["X-RateLimit-Limit-Requests"] == "3"
    assert headers["X-RateLimit-Remaining-Requests"] == "0"
    assert headers["X-RateLimit-Reset-Requests"] == "50s"
    clock.advance(30)
    await door.admit(_key(3))


async def test_the_window_slides(door: Gatekeeper, clock: ManualClock) -> None:
    """A fixed window would let in twice the limit around its edge."""
    clock.advance(59)
    await door.admit(_key(1))
    clock.advance(2)
    with pytest.raises(TooManyRequests):
        await door.admit(_key(1))


async def test_a_call_refused_by_one_limit_uses_up_no_other(door: Gatekeeper) -> None:
    await door.admit(_key(1, 2))
    for _ in range(5):
        with pytest.raises(TooManyRequests, match="this key"):
            await door.admit(_key(1, 2))
    await door.admit(_key(5, 2, "k2"))
    with pytest.raises(TooManyRequests, match="this tenant"):
        await door.admit(_key(5, 2, "k2"))


async def test_parallel_calls_reserve_what_they_may_use_and_give_back_what_they_did_not(door: Gatekeeper) -> None:
    """Counting after the answer, five calls at once spent 663 tokens of a limit of 100 a minute."""
    key = _limited(tokens_per_minute=100)
    tries = await asyncio.gather(*(door.admit(key, _need(10, 30)) for _ in range(5)), return_exceptions=True)
    held = [one for one in tries if isinstance(one, Reservation)]
    assert len(held) == 2
    refused = next(one for one in tries if isinstance(one, TooManyTokens))
    assert refused.code == "key_tokens_per_minute"
    assert refused.headers()["X-RateLimit-Remaining-Tokens"] == "20"
    await door.settle(held[0], tokens=15)
    await door.settle(held[1], tokens=0)  # failed before it used any
    assert (await door.admit(_limited(tokens_per_minute=100), _need(50, 35))).headers[
        "X-RateLimit-Remaining-Tokens"
    ] == "0"


async def test_a_call_that_could_never_pass_says_so_and_an_assumed_length_never_makes_one(door: Gatekeeper) -> None:
    key = _limited(tokens_per_minute=100)
    with pytest.raises(CallTooLarge, match="Lower max_tokens"):
        await door.admit(key, _need(10, 200))
    await door.admit(key, _need(10, 200, open_ended=True))


async def test_a_place_is_free_again_when_its_call_ends_and_by_itself_if_nobody_renews_it(
    door: Gatekeeper, clock: ManualClock
) -> None:
    key = _limited(concurrency=1)
    first = await door.admit(key)
    for _ in range(4):
        clock.advance(20)
        await door.admission.renew()
        with pytest.raises(TooManyAtOnce):
            await door.admit(key)
    await door.settle(first)
    await door.admit(key)
    clock.advance(31)  # its replica died
    await door.admit(key)


async def test_a_models_own_limits_hold_for_all_tenants_and_for_calls_inside_others(door: Gatekeeper) -> None:
    model = MODEL.model_copy(update={"limits": Limits(concurrency=1, requests_per_minute=5)})
    held = await door.admit(_key(), _need(1, 1, model))
    other = Principal("k9", "other", frozenset({"chat"}))
    with pytest.raises(TooManyAtOnce, match="This model"):
        await door.admit(other, _need(1, 1, model), opens_call=False)
    await door.settle(held)
    await door.admit(other, _need(1, 1, model), opens_call=False)


async def test_a_call_inside_another_takes_tokens_but_no_request_and_no_place(door: Gatekeeper) -> None:
    key = _limited(requests_per_minute=1, concurrency=1, tokens_per_minute=100)
    await door.admit(key)
    await door.admit(key, _need(10, 50), opens_call=False)
    with pytest.raises(TooManyTokens):
        await door.admit(key, _need(10, 50), opens_call=False)


async def test_a_budget_is_held_before_the_call_and_names_itself_and_its_end(
    door: Gatekeeper, clock: ManualClock
) -> None:
    budgets = (Budget(window="day", usd=Decimal("0.0001")), Budget(window="month", usd=Decimal("0.00015")))
    key = _key(budgets=budgets)
    held = [await door.admit(key, _need(10, 40)) for _ in range(2)]  # 0.00005 USD each
    with pytest.raises(BudgetExceeded) as refused:
        await door.admit(key, _need(10, 40))
    error = refused.value
    assert (error.body(None).type, error.code, error.http_status) == ("budget_exceeded", "key_day_budget", 429)
    assert "0.0001 USD a day" in error.message
    assert "2026-01-02T00:00:00Z" in error.message
    assert error.headers()["Retry-After"] == "86400"
    await door.settle(held[0], tokens=50, cost=50_000)
    await door.settle(held[1], tokens=0, cost=0)
    await door.settle(await door.admit(key, _need(10, 40)), tokens=50, cost=50_000)
    clock.advance(86_400)
    await door.settle(await door.admit(key, _need(10, 40)), cost=50_000)
    with pytest.raises(BudgetExceeded) as refused:
        await door.admit(key, _need(10, 40))
    assert refused.value.code == "key_month_budget"
    assert "2026-02-01T00:00:00Z" in refused.value.message


async def test_what_can_cost_nothing_passes_a_spent_budget_and_what_has_no_price_never_passes_one(
    door: Gatekeeper,
) -> None:
    key = _key(budgets=(Budget(window="day", usd=Decimal(0)),))
    free = ModelPrice(prompt_usd_per_million=Decimal(0))
    await door.admit(key, _need(10, 40, MODEL.model_copy(update={"price": free})))
    await door.admit(key)
    with pytest.raises(BudgetExceeded):
        await door.admit(key, _need(1, 1))
    with pytest.raises(PriceUnknown, match="models file"):
        await door.admit(key, _need(1, 1, MODEL.model_copy(update={"price": None})))


async def test_a_budget_that_is_nearly_spent_and_one_that_is_are_told_once(door: Gatekeeper) -> None:
    key = _key(tenant_budgets=(Budget(window="day", usd=Decimal("0.0001")),))
    with capture_logs() as lines:
        for cost in (70_000, 5_000, 5_000, 5_000, 10_000, 5_000):
            await door.settle(await door.admit(key, _need(1, 1)), cost=cost)
    alerts = [(line["percent"], line["spent_usd"]) for line in lines if line["event"] == "budget alert"]
    assert alerts == [(80, "0.00008"), (100, "0.0001")]


async def test_a_caller_who_leaves_while_limits_are_checked_holds_nothing(door: Gatekeeper, clock: ManualClock) -> None:
    limiter = door.limiter = SlowLimiter(clock)
    key = _limited(concurrency=1, tokens_per_minute=100)
    call = asyncio.create_task(door.admit(key, _need(10, 90)))
    await limiter.charged.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    limiter.answer.set()
    await door.admission.drain()
    await door.admission.drain()  # the first wait was for the check, this one is for what it gave back
    await door.admit(key, _need(10, 90))


async def test_without_redis_calls_pass_where_the_operator_chose_so_and_it_is_logged_once(
    door: Gatekeeper, clock: ManualClock
) -> None:
    limiter = door.limiter = AwayLimiter(clock)
    with capture_logs() as lines:
        for _ in range(5):
            assert (await door.admit(_key(1))).headers == {}
        assert limiter.asked == 1  # no call waits for a Redis that was away a moment ago
        limiter.away = False
        clock.advance(1.1)
        assert (await door.admit(_key(1))).headers
    assert [line["log_level"] for line in lines] == ["error", "warning"]


async def test_without_redis_calls_are_refused_where_the_operator_chose_so(
    door: Gatekeeper, clock: ManualClock
) -> None:
    door.limiter, door.when_unavailable = AwayLimiter(clock), "refuse"
    for _ in range(2):
        with pytest.raises(LimitsUnavailable) as refused:
            await door.admit(_key(1))
        assert refused.value.http_status == 503
        assert "Retry-After" in refused.value.headers()
    door.limiter.away = False  # type: ignore[attr-defined]


async def test_what_was_spent_while_redis_was_away_counts_when_it_is_back(door: Gatekeeper, clock: ManualClock) -> None:
    limiter = door.limiter = AwayLimiter(clock)
    limiter.away = False
    key = _key(budgets=(Budget(window="day", usd=Decimal("0.0001")),))
    await door.settle(await door.admit(key, _need(1, 1)), cost=10)
    limiter.away = True
    clock.advance(2)
    held = await door.admit(key, _need(10, 40))
    assert not held.charged
    limiter.away = False
    clock.advance(2)
    await door.settle(held, cost=90_000)
    with pytest.raises(BudgetExceeded):
        await door.admit(key, _need(10, 40))
    assert _budget_gate(held) is not None


def _budget_gate(held: Reservation) -> Gate | None:
    return next((gate for gate in held.gates if gate.kind == "budget"), None)
