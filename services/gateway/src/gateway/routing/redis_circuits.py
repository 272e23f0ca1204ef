"""Circuits in Redis: counts in buckets of a fifth of the window, and three keys that expire by themselves.

`tripped` stays until a probe succeeds, `open` for as long as no call may pass, `probe` belongs to the one call that
tries. No replica's clock decides anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.routing.circuit_board import BoardUnavailable, SharedCircuit

PREFIX = "groundwork-circuit"
BUCKETS = 5
TRIPPED_SECONDS = 3600
"""A circuit that nothing tries any more is forgotten after this time."""
Answer = TypeVar("Answer")


class RedisCircuits:
    """A `CircuitBoard` that all replicas share."""

    def __init__(self, redis: Redis, timeout_seconds: float) -> None:
        self._redis = redis
        self._timeout = timeout_seconds

    async def exchange(self, model: str, requests: int, failures: int, window_seconds: float) -> SharedCircuit:
        """Two round trips."""
        key = _key(model)
        length = window_seconds / BUCKETS
        seconds, microseconds = await self._bounded(self._redis.time())
        bucket = int((seconds + microseconds / 1e6) / length)
        pipeline = self._redis.pipeline(transaction=False)
        if requests:
            name = f"{key}:{bucket}"
            pipeline.hincrby(name, "requests", requests)
            pipeline.hincrby(name, "failures", failures)
            pipeline.expire(name, round(window_seconds + length) + 1)
        for number in range(BUCKETS):
            pipeline.hmget(f"{key}:{bucket - number}", "requests", "failures")
        pipeline.exists(f"{key}:tripped")
        pipeline.pttl(f"{key}:open")
        answers: list[Any] = await self._bounded(pipeline.execute())
        *counts, tripped, open_for = answers[3 if requests else 0 :]
        return SharedCircuit(
            requests=sum(int(pair[0] or 0) for pair in counts),
            failures=sum(int(pair[1] or 0) for pair in counts),
            tripped=bool(tripped),
            open_seconds=max(0, open_for) / 1000,
        )

    async def open(self, model: str, seconds: float) -> None:
        """One round trip."""
        key = _key(model)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.set(f"{key}:tripped", 1, ex=TRIPPED_SECONDS)
        pipeline.set(f"{key}:open", 1, px=round(seconds * 1000))
        pipeline.delete(f"{key}:probe")
        await self._bounded(pipeline.execute())

    async def probe(self, model: str, seconds: float) -> bool:
        """`SET NX`: one caller wins until it reports, or until its time is over."""
        return bool(await self._bounded(self._redis.set(f"{_key(model)}:probe", 1, nx=True, px=round(seconds * 1000))))

    async def release(self, model: str) -> None:
        """One round trip."""
        await self._bounded(self._redis.delete(f"{_key(model)}:probe"))

    async def close(self, model: str) -> None:
        """The counts go, too: what failed before says nothing of the model now."""
        key = _key(model)
        names = [f"{key}:tripped", f"{key}:open", f"{key}:probe"]
        buckets = [name async for name in self._redis.scan_iter(match=f"{key}:[0-9]*", count=100)]
        await self._bounded(self._redis.delete(*names, *buckets))

    async def _bounded(self, asked: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await asked
        except (RedisError, OSError, TimeoutError) as error:
            raise BoardUnavailable(repr(error)[:200]) from None


def _key(model: str) -> str:
    return f"{PREFIX}:{{{model.encode().hex()}}}"  # no name may look like a pattern
