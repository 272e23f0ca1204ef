"""Circuits: what any board must do, on a real Valkey and in memory."""

from __future__ import annotations

import asyncio
import time

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from gateway.routing import circuit_breaker
from gateway.routing.circuit_board import BoardUnavailable, CircuitBoard
from gateway.routing.circuit_breaker import BreakerPolicy, Breakers
from gateway.routing.memory_circuits import MemoryCircuits
from gateway.routing.redis_circuits import RedisCircuits
from servicekit.redis.client import open_redis

DEADLINE_SECONDS = 60.0
REDIS_SECONDS = 60.0
WINDOW = 600.0
OPEN = 600.0
"""Longer than any test."""
STAR = "a*[b]"


@pytest.fixture(params=["redis", "memory"])
def board(request: pytest.FixtureRequest, redis: Redis) -> CircuitBoard:
    return RedisCircuits(redis, REDIS_SECONDS) if request.param == "redis" else MemoryCircuits(time.monotonic)


async def test_counts_add_up_over_replicas_and_are_kept_by_model(board: CircuitBoard) -> None:
    await board.exchange(STAR, 3, 1, WINDOW)
    shared = await board.exchange(STAR, 2, 2, WINDOW)
    assert (shared.requests, shared.failures, shared.tripped) == (5, 3, False)
    assert (await board.exchange("ab", 0, 0, WINDOW)).requests == 0


async def test_one_of_many_draws_the_probe_and_after_its_failure_another_may(board: CircuitBoard) -> None:
    await board.open(STAR, OPEN)
    shared = await board.exchange(STAR, 0, 0, WINDOW)
    assert shared.tripped
    assert OPEN / 2 < shared.open_seconds <= OPEN
    assert sum(await asyncio.gather(*(board.probe(STAR, OPEN) for _ in range(20)))) == 1
    await board.open(STAR, OPEN)
    assert await board.probe(STAR, OPEN)


async def test_a_circuit_stays_tripped_when_its_time_is_over_and_ends_with_its_counts(board: CircuitBoard) -> None:
    await board.exchange(STAR, 9, 9, WINDOW)
    await board.exchange("ab", 9, 9, WINDOW)
    await board.open(STAR, 0.05)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (shared := await board.exchange(STAR, 0, 0, WINDOW)).open_seconds > 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert shared.tripped
    await board.close(STAR)
    shared = await board.exchange(STAR, 0, 0, WINDOW)
    assert (shared.requests, shared.tripped) == (0, False)
    assert (await board.exchange("ab", 0, 0, WINDOW)).requests == 9


async def test_two_replicas_on_valkey_open_together_and_send_one_probe(redis: Redis) -> None:
    now = 0.0
    rules = BreakerPolicy(window_seconds=WINDOW, least_requests=10, failure_ratio=0.5, open_seconds=OPEN)
    one, two = (Breakers(RedisCircuits(redis, REDIS_SECONDS), rules, lambda: now) for _ in range(2))
    for breakers in (one, two):
        for _ in range(5):
            breakers.failed("m")
        await breakers.exchange()
    two.failed("m")
    async with asyncio.timeout(DEADLINE_SECONDS):
        while one.state("m") == "closed":
            await asyncio.sleep(0.01)
            await one.exchange()
    assert (one.state("m"), two.state("m")) == ("open", "open")
    now += OPEN
    assert (one.state("m"), two.state("m")) == ("half_open", "half_open")
    passed = await asyncio.gather(*(breakers.allow("m") for breakers in (one, two) for _ in range(10)))
    assert sum(passed) == 1


async def test_a_board_that_is_away_is_told_within_the_timeout() -> None:
    client = open_redis(SecretStr("redis://127.0.0.1:1/0"))
    with pytest.raises(BoardUnavailable):
        await RedisCircuits(client, 0.5).exchange("m", 1, 1, WINDOW)
    await client.aclose()


async def test_replicas_that_exchange_all_the_time_end(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "EXCHANGE_SECONDS", 0.0)
    for moment in range(100):
        breakers = Breakers(RedisCircuits(redis, REDIS_SECONDS), BreakerPolicy(WINDOW, 10, 0.5, OPEN), time.monotonic)
        breakers.succeeded(STAR, 0.1)
        exchanging = [asyncio.create_task(breakers.run()) for _ in range(4)]
        await asyncio.sleep(moment / 10_000)
        for task in exchanging:
            task.cancel()
        _, going_on = await asyncio.wait(exchanging, timeout=DEADLINE_SECONDS)
        assert not going_on
