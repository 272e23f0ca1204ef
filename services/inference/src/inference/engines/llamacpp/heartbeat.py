"""Whether a process of llama.cpp hangs: one call that its loop answers between two steps is on its way at all times.

Silence alone proves nothing: a prompt is read in steps of 2,048 tokens, and one of them takes minutes on a slow or
busy machine. A process that hangs, stopped or waiting for itself, uses no processor meanwhile. One that computes and
comes to no end of a step is given up much later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from servicekit.core.errors import ServiceError, UpstreamTimeout

PATH = "/lora-adapters"
"""A call that llama.cpp's loop answers itself, unlike `/metrics` and `/v1/models`, and that needs no slot."""
LOOK_SECONDS = 1.0
"""How often `look` is called."""
LEAST_SHARE = 0.005
"""A process that computes uses more of one core than this, also beside many others; its waiting threads use less."""
LONGER = 10
"""How many times as long one may be silent that computes."""
REST = 0.1
"""Of `stalled_seconds`: from an answer to the next question."""


class Heartbeat:
    """`ask` makes the call, and raises `ServiceError` where it is not answered; `stalled_seconds` of silence in which
    the process computes nothing tell that it hangs.

    Time is counted in looks: where this process was stopped itself, that is no silence of the other.
    """

    def __init__(self, ask: Callable[[], Awaitable[object]], stalled_seconds: float) -> None:
        self._ask = ask
        self._stalled = stalled_seconds
        self._asking: asyncio.Task[None] | None = None
        self._rested = 0.0
        self._silent = 0.0
        self._idle = 0.0
        self._used: float | None = None

    def look(self, used: float | None) -> float | None:
        """Called every `LOOK_SECONDS`: for how long the process has been silent if it hangs, else None.

        `used` are the seconds of processor time that it has had; None where the system does not say.
        """
        if self._asking is None or self._asking.done():
            self._begin_anew(used)
            return None
        self._silent += LOOK_SECONDS
        self._idle += LOOK_SECONDS
        if used is None or self._used is None or used - self._used >= LEAST_SHARE * self._stalled:
            self._idle, self._used = 0.0, used
        hangs = self._idle >= self._stalled or self._silent >= LONGER * self._stalled
        return self._silent if hangs else None

    async def stop(self) -> None:
        """Ask no more; the next look begins with another process."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
            self._asking = None

    def _begin_anew(self, used: float | None) -> None:
        self._silent, self._idle, self._used = 0.0, 0.0, used
        self._rested += LOOK_SECONDS
        if self._rested > REST * self._stalled:
            self._rested = 0.0
            self._asking = asyncio.create_task(self._answered())

    async def _answered(self) -> None:
        """Return once anything is answered. A refused connection is no silence, either: such a process ends."""
        while True:
            try:
                await self._ask()
            except UpstreamTimeout:
                continue
            except ServiceError:
                return
            return
