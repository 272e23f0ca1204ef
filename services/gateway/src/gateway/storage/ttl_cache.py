"""Values read through and cached for a short time; concurrent readers of one key share one read."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import Generic, TypeVar

from servicekit.core.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """At most `capacity` values, each at most `seconds` old as counted from the start of its read.

    A read that raises is not cached.
    """

    def __init__(self, read: Callable[[K], Awaitable[V]], *, seconds: float, capacity: int, clock: Clock) -> None:
        self._read = read
        self._seconds = seconds
        self._capacity = capacity
        self._clock = clock
        self._values: OrderedDict[K, tuple[datetime, V]] = OrderedDict()
        self._reads: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, seconds: float | None = None) -> V:
        """The value, read again if it is too old, or as old as `seconds`."""
        known, most = self._values.get(key), self._seconds if seconds is None else min(seconds, self._seconds)
        if known is not None and 0 <= (self._clock.now() - known[0]).total_seconds() < most:
            return known[1]
        task = self._reads.get(key)
        if task is None:
            task = self._reads[key] = asyncio.create_task(self._read_and_store(key))
            task.add_done_callback(_retrieve_exception)
        return await asyncio.shield(task)  # one reader's cancellation must not fail the others

    def invalidate(self, key: K) -> None:
        """Read anew next time, also if a read is under way."""
        self._values.pop(key, None)
        self._reads.pop(key, None)

    def invalidate_where(self, matches: Callable[[V], bool]) -> None:
        """Read anew every value of which this is true."""
        for key in [key for key, (_, value) in self._values.items() if matches(value)]:
            self.invalidate(key)

    def last(self, key: K) -> V | None:
        """The value last read, however old."""
        known = self._values.get(key)
        return None if known is None else known[1]

    async def _read_and_store(self, key: K) -> V:
        started, task = self._clock.now(), asyncio.current_task()
        try:
            value = await self._read(key)
            if self._reads.get(key) is task:
                self._values[key] = (started, value)
                self._values.move_to_end(key)
                while len(self._values) > self._capacity:
                    self._values.popitem(last=False)
            return value
        finally:
            if self._reads.get(key) is task:
                del self._reads[key]


def _retrieve_exception(task: asyncio.Task[V]) -> None:
    if not task.cancelled():
        task.exception()
