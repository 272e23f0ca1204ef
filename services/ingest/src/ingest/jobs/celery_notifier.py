"""Wake-ups through Celery, sent by a thread of their own so that no call ever waits for the broker."""

from __future__ import annotations

import queue
import threading
from contextvars import Context, copy_context

import structlog
from celery import Celery
from kombu.exceptions import KombuError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ingest.jobs.celery_app import send_wake
from ingest.metrics import WAKEUPS
from servicekit.core.probes import Degraded

log = structlog.get_logger(__name__)
WAITING = 1000
END_SECONDS = 3.0


class CeleryNotifier:
    """The `Notifier` of a running platform."""

    def __init__(self, app: Celery, redis: Redis) -> None:
        self._app = app
        self._redis = redis
        self._waiting: queue.Queue[tuple[str, str, Context] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._send_all, name="wakeups", daemon=True)
        self._thread.start()

    def notify(self, job_id: str, request_id: str) -> None:
        """Send a wake-up soon. With too many waiting it is dropped: those before it wake as well."""
        try:
            self._waiting.put_nowait((job_id, request_id, copy_context()))
        except queue.Full:
            WAKEUPS.labels("dropped").inc()

    async def probe(self) -> None:
        """Raise `Degraded` while Redis is away: workers then find jobs at their next look."""
        try:
            await self._redis.ping()
        except (RedisError, OSError):
            raise Degraded("Redis is away; workers find new jobs by themselves, some seconds later") from None

    def close(self) -> None:
        """Send what is waiting, for a few seconds at most."""
        try:
            self._waiting.put(None, timeout=END_SECONDS)
        except queue.Full:
            return
        self._thread.join(END_SECONDS)

    def _send_all(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            job_id, request_id, context = waiting
            try:
                context.run(send_wake, self._app, job_id, request_id)  # within the trace of the call that rang
            except (KombuError, RedisError, OSError) as error:
                WAKEUPS.labels("failed").inc()
                log.warning("wake-up not sent", job_id=job_id, request_id=request_id, error=repr(error)[:200])
            else:
                WAKEUPS.labels("sent").inc()
