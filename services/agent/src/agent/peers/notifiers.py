"""Notifiers: within the process, and through Redis to other replicas."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit.core.probes import Degraded

log = structlog.get_logger(__name__)
CHANNEL = "groundwork:agent:runs"
AGAIN_SECONDS = 1.0
WAITING = 1000


class _Subscription:
    """One subscriber of this process."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """Whether it was notified."""
        try:
            async with asyncio.timeout(seconds):
                await self.event.wait()
        except TimeoutError:
            return False
        self.event.clear()
        return True


class LocalNotifier:
    """The `Notifier` of one process."""

    def __init__(self) -> None:
        self._subscriptions: defaultdict[str | None, set[_Subscription]] = defaultdict(set)

    def notify(self, run_id: str) -> None:
        """Wake this process's subscribers."""
        for subscription in (*self._subscriptions.get(run_id, ()), *self._subscriptions.get(None, ())):
            subscription.event.set()

    @contextmanager
    def subscribe(self, run_id: str | None) -> Iterator[_Subscription]:
        """A subscription while the block lasts."""
        subscription = _Subscription()
        self._subscriptions[run_id].add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[run_id].discard(subscription)
            if not self._subscriptions[run_id]:
                del self._subscriptions[run_id]

    async def probe(self) -> None:
        """Always there."""


class RedisNotifier(LocalNotifier):
    """A `Notifier` for every replica; a process is notified of its own news without Redis. `open` it, `close` it."""

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self._redis = redis
        self._sending: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Begin to send and to listen."""
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._listen())]

    async def close(self) -> None:
        """End both."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def notify(self, run_id: str) -> None:
        """Wake this process at once, the others soon. With too many waiting one is dropped."""
        super().notify(run_id)
        if not self._sending.full():
            self._sending.put_nowait(run_id)

    async def probe(self) -> None:
        """Raise `Degraded` while Redis is away."""
        try:
            await self._redis.ping()
        except (RedisError, OSError):
            raise Degraded("Redis is away; replicas find each other's news by looking every second") from None

    async def _send(self) -> None:
        while True:
            run_ids = {await self._sending.get()}
            while not self._sending.empty():
                run_ids.add(self._sending.get_nowait())
            try:
                for run_id in run_ids:
                    await self._redis.publish(CHANNEL, run_id)
            except (RedisError, OSError) as error:
                log.warning("notification not sent", error=repr(error)[:200])
                await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(CHANNEL)
                    while True:
                        message = await channel.get_message(timeout=AGAIN_SECONDS)
                        if message is not None:
                            super().notify(str(message["data"]))
            except (RedisError, OSError) as error:
                log.warning("notifications not received", error=repr(error)[:200])
                await asyncio.sleep(AGAIN_SECONDS)
