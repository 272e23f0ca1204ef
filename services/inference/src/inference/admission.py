"""Admission to an engine: a bounded line before a bounded number of calls, first come first served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from inference.errors import ModelBusy
from inference.metrics import REJECTED, RUNNING, WAITING, WAITING_TOKENS

FIRST_GUESS_SECONDS = 5.0
WEIGHT_OF_LAST = 0.3
LONGEST_RETRY_SECONDS = 600.0


class Backlog(Protocol):
    """What an engine says of its own line."""

    def full(self) -> bool:
        """Whether more calls wait in it than should. Answers at once, from what was last heard; False if unknown."""
        ...

    def entered(self) -> None:
        """One more call goes to the engine, which it has not counted yet."""
        ...


class Admission:
    """`places` calls run, at most `waiting` more wait, with at most `waiting_tokens` tokens, and no call is let in
    while the engine's own line is full. The next is refused with an honest `Retry-After`.
    """

    def __init__(
        self,
        model: str,
        *,
        places: int,
        waiting: int,
        waiting_tokens: int | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        self._model = model
        self._number = places
        self._places = asyncio.Semaphore(places)
        self._most_waiting = waiting
        self._most_tokens = waiting_tokens
        self._backlog = backlog
        self._waiting = 0
        self._tokens = 0
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

    async def enter(self, tokens: int = 0) -> Callable[[], None]:
        """Wait for a place; returns what gives it back, which may be called twice. Raises `ModelBusy`.

        A call of more tokens than may wait is let in where nobody else waits, so that it is not refused for ever.
        """
        if self._is_full(tokens):
            REJECTED.labels(self._model).inc()
            raise ModelBusy(self._model, retry_after=self._seconds_to_wait())
        self._count_waiting(1, tokens)
        try:
            await self._places.acquire()
        finally:
            self._count_waiting(-1, -tokens)
        self._count_running(1)
        if self._backlog is not None:
            self._backlog.entered()
        return self._leaving(time.monotonic())

    def _is_full(self, tokens: int) -> bool:
        if self._backlog is not None and self._backlog.full():
            return True
        if not self._places.locked():
            return False
        if self._waiting >= self._most_waiting:
            return True
        return self._most_tokens is not None and self._waiting > 0 and self._tokens + tokens > self._most_tokens

    def _seconds_to_wait(self) -> float:
        return min(LONGEST_RETRY_SECONDS, self._usual_seconds * (self._waiting + 1) / self._number)

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

    def _count_waiting(self, calls: int, tokens: int) -> None:
        self._waiting += calls
        self._tokens += tokens
        WAITING.labels(self._model).set(self._waiting)
        WAITING_TOKENS.labels(self._model).set(self._tokens)

    def _count_running(self, change: int) -> None:
        self._running += change
        RUNNING.labels(self._model).set(self._running)
