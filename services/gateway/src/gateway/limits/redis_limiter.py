"""Limits in Redis or Valkey: one Lua script before an attempt and one after it, exact across replicas.

All keys share one hash tag, so that one script may touch the gates of a key, its tenant and a model on a cluster, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.limits.limiter import (
    ALERT_PERCENT,
    BudgetBalance,
    Gate,
    GateState,
    LimiterUnavailable,
    Settlement,
    Spent,
    Verdict,
)
from gateway.limits.pipelined_connection import PipelinedConnection
from gateway.metrics import REDIS_SECONDS

MICROSECONDS = 1_000_000
PREFIX = "{groundwork-limits}"
RESERVED = "h:"
BUDGET_KEPT = timedelta(days=2)
"""How long a budget is kept after its period, for attempts that began in it."""
LATE_SECONDS = 0.05
"""By which a timer tells that the event loop stood still."""
Answer = TypeVar("Answer")


class RedisLimiter:
    """A `Limiter` that all replicas share."""

    def __init__(
        self,
        redis: Redis,
        timeout_seconds: float,
        window_seconds: float = 60.0,
        lease_seconds: float = 30.0,
        connection: PipelinedConnection | None = None,
    ) -> None:
        """`connection`, if given, is what the two scripts on the way of every call take."""
        self._redis = redis
        self._timeout = timeout_seconds
        self._window = round(window_seconds * MICROSECONDS)
        self._lease = round(lease_seconds * MICROSECONDS)
        self._load, self._correct = (redis.register_script(_text(name)) for name in ("load", "correct"))
        quick = redis.register_script if connection is None else connection.script
        self._reserve, self._settle = (quick(_text(name)) for name in ("reserve", "settle"))

    async def reserve(self, attempt_id: str, gates: Sequence[Gate], amounts: Sequence[int]) -> Verdict:
        """One round trip."""
        keys = [key for gate in gates for key in _keys(gate)]
        args: list[Any] = [attempt_id, self._window, self._lease]
        for gate, wanted in zip(gates, amounts, strict=True):
            args += (gate.kind, gate.limit, wanted)
        answer = _numbers(await self._bounded(self._reserve(keys=keys, args=args)))
        states = tuple(
            GateState(answer[at], answer[at + 1] / MICROSECONDS, answer[at + 2] / MICROSECONDS)
            for at in range(1, len(answer), 3)
        )
        if answer[0] < 0:
            return Verdict(None, states, tuple(at for at, state in enumerate(states) if state.used < 0))
        return Verdict(answer[0] - 1 if answer[0] else None, states)

    async def settle(self, settlement: Settlement, gates: Sequence[Gate]) -> list[Spent]:
        """One round trip, or none where only requests are limited."""
        gates = [gate for gate in gates if gate.kind != "requests" or settlement.refused]
        if not gates:
            return []
        begun = settlement.reserved_at
        args: list[Any] = [settlement.attempt_id, "" if begun is None else round(begun.timestamp() * MICROSECONDS)]
        for gate in gates:
            args += (gate.kind, settlement.cost if gate.kind == "budget" else settlement.tokens, gate.limit)
        keys = [key for gate in gates for key in _keys(gate)]
        answer = _numbers(await self._bounded(self._settle(keys=keys, args=args)))
        budgets = [gate for gate in gates if gate.kind == "budget"]
        step = 1 + len(ALERT_PERCENT)
        return [
            Spent(gate, spent, tuple(p for p, new in zip(ALERT_PERCENT, passed, strict=True) if new))
            for gate, (spent, *passed) in zip(budgets, _groups(answer, step), strict=True)
            if spent >= 0
        ]

    async def renew(self, leases: Sequence[tuple[str, Sequence[Gate]]]) -> None:
        """One round trip for all of a replica's attempts."""
        seconds, microseconds = await self._bounded(self._redis.time())
        until = seconds * MICROSECONDS + microseconds + self._lease
        by_key: dict[str, dict[str, int]] = {}
        for attempt_id, gates in leases:
            for gate in gates:
                if gate.kind == "concurrency":
                    by_key.setdefault(_keys(gate)[0], {})[attempt_id] = until
        if by_key:
            pipeline = self._redis.pipeline(transaction=False)
            for key, attempts in by_key.items():
                pipeline.zadd(key, attempts, xx=True)  # one that was settled meanwhile must not come back
                pipeline.pexpire(key, self._lease // 1000)
            await self._bounded(pipeline.execute())

    async def load(self, gate: Gate, balance: BudgetBalance) -> None:
        """Kept until some time after the period."""
        now = datetime.now(UTC)
        until = (gate.period.until if gate.period else now) + BUDGET_KEPT
        args: list[Any] = [max(1, round((until - now).total_seconds() * 1000)), balance.spent]
        for attempt_id, held in balance.reserved.items():
            args += (attempt_id, held)
        await self._bounded(self._load(keys=_keys(gate), args=args))

    async def get_balance(self, gate: Gate) -> BudgetBalance | None:
        """The whole hash."""
        known = await self._bounded(_mapping(self._redis, _keys(gate)[0]))
        if "spent" not in known:
            return None
        reserved = {name.removeprefix(RESERVED): int(held) for name, held in known.items() if name.startswith(RESERVED)}
        return BudgetBalance(int(known["spent"]), reserved)

    async def correct(self, gate: Gate, seen: int, spent: int) -> bool:
        """Compare and set."""
        return bool(await self._bounded(self._correct(keys=_keys(gate), args=[seen, spent])))

    async def delete_counters(self, whose: Sequence[tuple[str, str]]) -> None:
        """Gates are found by their names, since their periods and kinds are many; names hold no wildcard."""
        for kind, name in whose:
            for pattern in (f"{PREFIX}:*:{kind}:{name}", f"{PREFIX}:*:{kind}:{name}:*"):
                cursor = 0
                while True:
                    cursor, found = await self._bounded(_scanned(self._redis, cursor, pattern))
                    if found:
                        await self._bounded(_removed(self._redis, found))
                    if cursor == 0:
                        break

    async def probe(self) -> None:
        """Raise unless Redis answers."""
        await self._redis.ping()

    async def _bounded(self, asked: Awaitable[Answer]) -> Answer:
        """Where this process was kept from its event loop, an answer that came meanwhile has the same time once more to
        be read: what is slow then is not Redis, and calls must not go past their limits for it."""
        started, loop = time.perf_counter(), asyncio.get_running_loop()
        due = loop.time() + self._timeout
        try:
            async with asyncio.timeout(None) as bound:

                def expire() -> None:
                    bound.reschedule(loop.time())

                def expire_or_wait() -> None:
                    if loop.time() - due > LATE_SECONDS:
                        timers.append(loop.call_later(self._timeout, expire))
                    else:
                        expire()

                timers = [loop.call_at(due, expire_or_wait)]
                try:
                    return await asked
                finally:
                    for timer in timers:
                        timer.cancel()
        except (RedisError, OSError, TimeoutError) as error:
            raise LimiterUnavailable(repr(error)[:200]) from None
        finally:
            REDIS_SECONDS.observe(time.perf_counter() - started)


async def _mapping(redis: Redis, key: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in (await redis.hgetall(key)).items()}


async def _scanned(redis: Redis, cursor: int, pattern: str) -> tuple[int, list[str]]:
    following, found = await redis.scan(cursor, match=pattern, count=1000)
    return int(following), [str(key) for key in found]


async def _removed(redis: Redis, found: list[str]) -> None:
    await redis.delete(*found)


def _text(script: str) -> str:
    return (files("gateway.limits") / f"{script}.lua").read_text()


def _keys(gate: Gate) -> list[str]:
    key = f"{PREFIX}:{gate.identity}"
    return [key, f"{key}:amounts"] if gate.kind == "tokens" else [key]


def _numbers(answer: str) -> list[int]:
    return [int(number) for number in answer.split()]


def _groups(values: Sequence[int], size: int) -> list[Sequence[int]]:
    return [values[at : at + size] for at in range(0, len(values), size)]
