"""Notifiers: they wake whoever waits for a job, within the process or through Redis in every process.

A notification is only ever a hint: one that is lost costs the time until the next look, never a job or an event.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit.core.probes import Degraded

log = structlog.get_logger(__name__)
AGAIN_SECONDS = 1.0
WAITING = 1000
DUE = "!"
"""Before the id of a job that a worker can claim."""


class Subscription:
    """One subscriber of this process."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        """End its present wait, or the next."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Whether it was notified since the last wait, or is within these seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Notifier(Protocol):
    """Wakes whoever waits for a job. It may fail to: subscribers also look by themselves."""

    def notify(self, job_id: str, *, due: bool = False) -> None:
        """Something is new about a job; with `due` a worker can claim it. Never waits, never fails."""
        ...

    def subscribe(
        self, job_id: str | None, subscription: Subscription | None = None
    ) -> AbstractContextManager[Subscription]:
        """Be told of one job, or of all that are due; by a new subscription unless one is given."""
        ...

    async def probe(self) -> None:
        """Raise `Degraded` while other processes can't be woken."""
        ...


class LocalNotifier:
    """The `Notifier` of one process."""

    def __init__(self) -> None:
        self._subscriptions: defaultdict[str | None, set[Subscription]] = defaultdict(set)

    def notify(self, job_id: str, *, due: bool = False) -> None:
        """Wake this process's subscribers. Only from the event loop's own thread."""
        workers = self._subscriptions.get(None, ()) if due else ()
        for subscription in (*self._subscriptions.get(job_id, ()), *workers):
            subscription.wake()

    @contextmanager
    def subscribe(self, job_id: str | None, subscription: Subscription | None = None) -> Iterator[Subscription]:
        """A subscription while the block lasts."""
        subscription = subscription or Subscription()
        self._subscriptions[job_id].add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[job_id].discard(subscription)
            if not self._subscriptions[job_id]:
                del self._subscriptions[job_id]

    async def probe(self) -> None:
        """Always there."""


class RedisNotifier(LocalNotifier):
    """A `Notifier` for every process on a channel; its own process is told without Redis. `open` it, `close` it."""

    def __init__(self, redis: Redis, channel: str) -> None:
        super().__init__()
        self._redis = redis
        self._channel = channel
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

    def notify(self, job_id: str, *, due: bool = False) -> None:
        """Wake this process at once, the others soon. With too many waiting one is dropped."""
        super().notify(job_id, due=due)
        if not self._sending.full():
            self._sending.put_nowait(DUE + job_id if due else job_id)

    async def probe(self) -> None:
        """Raise `Degraded` while Redis is away."""
        try:
            await self._redis.ping()
        except (RedisError, OSError):
            raise Degraded("Redis is away; replicas find each other's news by looking every second") from None

    async def _send(self) -> None:
        while True:
            messages = {await self._sending.get()}
            while not self._sending.empty():
                messages.add(self._sending.get_nowait())
            try:
                for message in messages:
                    await self._redis.publish(self._channel, message)
            except (RedisError, OSError) as error:
                log.warning("notification not sent", error=repr(error)[:200])
                await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self._channel)
                    while True:
                        message = await channel.get_message(timeout=AGAIN_SECONDS)
                        if message is not None:
                            notice = str(message["data"])
                            super().notify(notice.removeprefix(DUE), due=notice.startswith(DUE))
            except (RedisError, OSError) as error:
                log.warning("notifications not received", error=repr(error)[:200])
                await asyncio.sleep(AGAIN_SECONDS)
