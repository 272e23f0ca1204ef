"""Ends a worker that no longer works, so that whatever started it starts it anew and its jobs are taken over."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)
STUCK = 70
"""The exit status of a worker that ended itself."""


class Watchdog:
    """A thread of its own: it sees what the event loop can't, that the loop itself hangs."""

    def __init__(
        self, silent_seconds: Callable[[], float], limit: float, end: Callable[[int], None] = os._exit
    ) -> None:
        self._silent = silent_seconds
        self._limit = limit
        self._end = end
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer: the worker ends as it should."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._limit / 10):
            silent = self._silent()
            if silent > self._limit:
                log.critical("the worker hangs and ends itself", silent_seconds=round(silent))
                self._end(STUCK)
                return
