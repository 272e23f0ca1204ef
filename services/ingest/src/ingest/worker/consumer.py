"""The Celery worker beside our own loop: it takes wake-ups from the broker and rings the loop's notifier.

It runs in a thread and is started again, ever more slowly, whenever it ends; the loop never depends on it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import structlog
from celery import Celery
from celery.worker import WorkController, state
from pydantic import SecretStr

from ingest.jobs.celery_app import add_wake_task, make_celery
from ingest.metrics import CONSUMER_RESTARTS, WAKEUPS

log = structlog.get_logger(__name__)
CLIENT = "groundwork-"
"""In Redis a worker is `groundwork-worker@<host>:<process>:…`, by which `groundwork doctor` finds other hosts."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
END_SECONDS = 2.0


class WakeupConsumer:
    """Calls `ring` from its own thread for each wake-up, between `start` and `stop`."""

    def __init__(self, redis_url: SecretStr, name: str, ring: Callable[[], None]) -> None:
        logging.getLogger("celery").setLevel(logging.WARNING)  # it tells each wake-up twice; the task does once
        self._name = name
        self._ring = ring
        self._ended = threading.Event()
        self._app: Celery = make_celery(redis_url, CLIENT + name)
        add_wake_task(self._app, self._on_wake)
        self._thread = threading.Thread(target=self._keep_running, name="consumer", daemon=True)

    def start(self) -> None:
        """Begin; returns at once, whether or not the broker is there."""
        self._thread.start()

    def stop(self) -> None:
        """End, for a few seconds at most; the thread dies with the process in any case."""
        self._ended.set()
        state.should_stop = 0
        self._thread.join(END_SECONDS)

    def _on_wake(self) -> None:
        WAKEUPS.labels("received").inc()
        self._ring()

    def _keep_running(self) -> None:
        pause = FIRST_PAUSE
        while not self._ended.is_set():
            try:
                self._run_once()
            except Exception as error:  # noqa: BLE001  # the outermost loop of this thread: it must not end
                log.warning("consumer of wake-ups ended", error=repr(error)[:300])
            if not self._ended.wait(pause):
                CONSUMER_RESTARTS.inc()
                pause = min(LONGEST_PAUSE, pause * 2)

    def _run_once(self) -> None:
        self._app.set_current()  # of this thread: the solo pool looks a task up in the current app
        controller = WorkController(
            app=self._app,
            hostname=self._name,
            pool="solo",
            concurrency=1,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            quiet=True,
        )
        controller.start()
