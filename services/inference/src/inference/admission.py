"""Admission to an engine that answers a fixed number of calls at once: a bounded line, first come first served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from inference.errors import ModelBusy
from inference.metrics import REJECTED, RUNNING, WAITING

FIRST_GUESS_SECONDS = 5.0
WEIGHT_OF_LAST = 0.3


class Admission:
    """`places` calls run, at most `waiting` more wait, and the next is refused with an honest `Retry-After`."""

    def __init__(self, model: str, *, places: int, waiting: int) -> None:
        self._model = model
        self._places = asyncio.Semaphore(places)
        self._most_waiting = waiting
        self._waiting = 0
        self._running = 0
        self._usual_seconds = FIRST_GUESS_SECONDS

    @property
    def running(self) -> int:
        """Calls that hold a place."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls that wait for one."""
        return self._waiting

    async def enter(self) -> Callable[[], None]:
        """Wait for a place; returns what gives it back, which may be called twice. Raises `ModelBusy`."""
        if self._places.locked() and self._waiting >= self._most_waiting:
            REJECTED.labels(self._model).inc()
            raise ModelBusy(self._model, retry_after=self._usual_seconds * (self._waiting + 1))
        self._count_waiting(1)
        try:
            await self._places.acquire()
        finally:
            self._count_waiting(-1)
        self._count_running(1)
        return self._leaving(time.monotonic())

    def _leaving(self, entered: float) -> Callable[[], None]:
        inside = True

        def leave() -> None:
            nonlocal inside
            if not inside:
                return
            inside = False
            took = time.monotonic() - entered
            self._usual_seconds += WEIGHT_OF_LAST * (took - self._usual_seconds)
            self._count_running(-1)
            self._places.release()

        return leave

    def _count_waiting(self, change: int) -> None:
        self._waiting += change
        WAITING.labels(self._model).set(self._waiting)

    def _count_running(self, change: int) -> None:
        self._running += change
        RUNNING.labels(self._model).set(self._running)
