"""Answers in Redis, bounded in bytes: one round trip to find one, one to keep one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from importlib.resources import files
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.cache.store import StoreUnavailable

PREFIX = "{groundwork-cache}"
ANSWER = f"{PREFIX}:a:"
CLAIM = f"{PREFIX}:w:"
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
DROP = """
local had = tonumber(redis.call('HGET', KEYS[2], ARGV[1])) or 0
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', ARGV[2] .. ARGV[1])
redis.call('HINCRBY', KEYS[2], 'sum', -had)
"""
Answer = TypeVar("Answer")


class RedisStore:
    """An `AnswerStore` that all replicas share."""

    def __init__(self, redis: Redis, timeout_seconds: float, most_bytes: int) -> None:
        self._redis = redis
        self._timeout = timeout_seconds
        self._most = most_bytes
        self._drop = redis.register_script(DROP)
        self._keep = redis.register_script((files("gateway.cache") / "keep.lua").read_text())
        self._release = redis.register_script(RELEASE)

    async def get(self, name: str, tenant: str) -> tuple[str | None, str]:
        """One `MGET`."""
        names = [f"{ANSWER}{name}", f"{PREFIX}:epoch", f"{PREFIX}:epoch:{tenant}"]
        text, of_all, own = await self._bounded(_values(self._redis, names))
        return text, f"{of_all or 0}.{own or 0}"

    async def put(self, name: str, text: str, seconds: float) -> None:
        """Others that expire first make room."""
        keys = [f"{ANSWER}{name}", f"{PREFIX}:index", f"{PREFIX}:sizes"]
        args: list[Any] = [text, name, len(text.encode()), round(seconds * 1000), self._most, ANSWER]
        await self._bounded(self._keep(keys=keys, args=args))

    async def delete(self, prefix: str, tenant: str) -> None:
        """Names are found in the index, some at a time."""
        cursor = 0
        while True:
            cursor, found = await self._bounded(_names(self._redis, cursor, f"{prefix}*"))
            for name in found:
                await self._bounded(self._drop(keys=[f"{PREFIX}:index", f"{PREFIX}:sizes"], args=[name, ANSWER]))
            if cursor == 0:
                break
        await self._bounded(self._redis.delete(f"{PREFIX}:epoch:{tenant}"))

    async def raise_epoch(self, tenant: str | None) -> None:
        """One `INCR`."""
        await self._bounded(self._redis.incr(f"{PREFIX}:epoch" + (f":{tenant}" if tenant is not None else "")))

    async def claim(self, name: str, owner: str, seconds: float) -> bool:
        """One `SET NX`."""
        claimed = self._redis.set(f"{CLAIM}{name}", owner, nx=True, px=max(1, round(seconds * 1000)))
        return bool(await self._bounded(claimed))

    async def release(self, name: str, owner: str) -> None:
        """Compare and delete."""
        await self._bounded(self._release(keys=[f"{CLAIM}{name}"], args=[owner]))

    async def _bounded(self, asked: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await asked
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(repr(error)[:200]) from None


async def _values(redis: Redis, names: list[str]) -> list[str | None]:
    return [None if value is None else str(value) for value in await redis.mget(names)]


async def _names(redis: Redis, cursor: int, pattern: str) -> tuple[int, list[str]]:
    following, found = await redis.zscan(f"{PREFIX}:index", cursor, match=pattern, count=1000)
    return int(following), [str(name) for name, _ in found]
