"""The event loop's clock, which a test moves: a limit of time is over when the test says so, on any machine."""

from __future__ import annotations

import asyncio


class LoopClock:
    """Of the running loop, from now on. Bounds of the test's own pass with it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._time, self._ahead = loop.time, 0.0
        loop.time = lambda: self._time() + self._ahead  # type: ignore[method-assign]

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._ahead += seconds
