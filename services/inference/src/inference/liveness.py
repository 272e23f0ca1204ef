"""Whether a model really answers: by its own work while it has some, else by asking it something small."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from inference.errors import ModelNotReady


class Liveness:
    """Answers `check` cheaply: recent progress is proof enough, and one question at a time is asked.

    A model that is busy is not asked (the question would only wait in line); it must show progress instead.
    """

    def __init__(
        self,
        model: str,
        *,
        ask: Callable[[], Awaitable[object]],
        busy: Callable[[], bool],
        fresh_seconds: float,
        stalled_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._ask = ask
        self._busy = busy
        self._fresh = fresh_seconds
        self._stalled = stalled_seconds
        self._now = now
        self._last: float | None = None
        self._seen_busy: float | None = None
        """When it was first seen busy since its last progress: before that it may have had nothing to do."""
        self._asking: asyncio.Task[None] | None = None

    def progressed(self) -> None:
        """The model just did something: a token, a batch."""
        self._last = self._now()
        self._seen_busy = None

    async def check(self) -> None:
        """Return if the model answers; raise what it raised, or `ModelNotReady` when it is stalled."""
        now = self._now()
        if self._last is not None and now - self._last < self._fresh:
            return
        if self._asking is None or self._asking.done():
            if self._busy() and self._last is not None:
                self._check_progress(now)
                return
            self._asking = asyncio.create_task(self._ask_once())
        await asyncio.shield(self._asking)  # a prober that gives up must not undo the question

    async def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _check_progress(self, now: float) -> None:
        if self._seen_busy is None:
            self._seen_busy = now
        silent = now - self._seen_busy
        if silent >= self._stalled:
            raise ModelNotReady(self._model, f"it is busy and has made no progress for {silent:.0f} s")

    async def _ask_once(self) -> None:
        await self._ask()
        self.progressed()
