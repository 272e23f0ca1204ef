"""Limits in Redis or Valkey: one Lua script, exact across replicas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from importlib.resources import files

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.metrics import REDIS_SECONDS
from gateway.ports import Gate, GateState, LimiterAway, Verdict

MICROSECONDS = 1_000_000


class RedisLimiter:
    """A `RequestLimiter` that all replicas share."""

    def __init__(self, redis: Redis, timeout_seconds: float, window_seconds: float = 60.0) -> None:
        self._redis = redis
        self._timeout = timeout_seconds
        self._window = round(window_seconds * MICROSECONDS)
        self._script = redis.register_script((files("gateway.adapters") / "limits.lua").read_text())

    async def take(self, gates: Sequence[Gate], call_id: str) -> Verdict:
        """Check all gates, then charge all; raises `LimiterAway` after the timeout."""
        started = time.perf_counter()
        names = [f"gateway:requests:{gate.name}" for gate in gates]
        limits = [gate.limit for gate in gates]
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._script(keys=names, args=[call_id, self._window, *limits])
        except (RedisError, OSError, TimeoutError) as error:
            raise LimiterAway(repr(error)[:200]) from None
        finally:
            REDIS_SECONDS.observe(time.perf_counter() - started)
        states = tuple(
            GateState(max(0, gate.limit - answer[at]), answer[at + 1] / MICROSECONDS, answer[at + 2] / MICROSECONDS)
            for at, gate in zip(range(1, len(answer), 3), gates, strict=True)
        )
        return Verdict(answer[0] - 1 if answer[0] else None, states)

    async def probe(self) -> None:
        """Raise unless Redis answers."""
        await self._redis.ping()
