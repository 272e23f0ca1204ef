"""Work that goes on after an answer, for nobody: bounded, and ended when the gateway stops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from gateway.metrics import SHADOW_CALLS


class ShadowCalls:
    """At most `most` at once; what is more is left out, and counted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> bool:
        """Have it done; whether there was room."""
        if len(self._tasks) >= self._most:
            work.close()
            SHADOW_CALLS.labels("left_out").inc()
            return False
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def wait(self) -> None:
        """Until all that were started have ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> ShadowCalls:
        """Until the block ends."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all of them."""
        for task in self._tasks:
            task.cancel()
        await self.wait()
