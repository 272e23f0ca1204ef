"""Writes that share a flush.

The engine's flush syncs dozens of times (counted in record 0308) and holds the interpreter lock meanwhile, as long for
one batch as for ten: 14 ms on a quiet disk, 300 ms on a busy one (measured). So batches of a generation that come while
another is written are written together after it, and while several come a generation is flushed for about half of the
time.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from retriever.stores.points import Point

LONGEST_PAUSE = 0.25
"""Seconds that batches gather at most."""
MOST_TOGETHER = 32
"""Batches in one flush."""
Write = Callable[[str, Sequence[Sequence[Point]]], Awaitable[None]]
"""Writes batches of a generation in order, then flushes."""
Waiting = tuple[Sequence[Point], "asyncio.Future[None]"]


class WriteGroups:
    """Each caller's batch is flushed on return, and another's bad batch does not fail it."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: dict[str, deque[Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def write(self, generation: str, points: Sequence[Point]) -> None:
        """Write a batch; raises what writing it alone raises."""
        written = asyncio.get_running_loop().create_future()
        if generation not in self._waiting:
            self._waiting[generation] = deque()
            task = asyncio.create_task(self._flush_all(generation))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._waiting[generation].append((points, written))
        await written

    async def close(self) -> None:
        """Return when nothing waits any more."""
        await asyncio.gather(*self._tasks)

    async def _flush_all(self, generation: str) -> None:
        waiting = self._waiting[generation]
        while waiting:
            group = [waiting.popleft() for _ in range(min(len(waiting), MOST_TOGETHER))]
            began = time.monotonic()
            await self._flush(generation, group)
            if waiting:  # more come than one flush can take along: let them gather, and searches run
                await asyncio.sleep(min(time.monotonic() - began, LONGEST_PAUSE))
        del self._waiting[generation]

    async def _flush(self, generation: str, group: Sequence[Waiting]) -> None:
        try:
            await self._write(generation, [points for points, _ in group])
        except Exception as error:  # noqa: BLE001  # it is the callers': each is told of its own
            if len(group) > 1:
                for one in group:
                    await self._flush(generation, [one])
            elif not group[0][1].done():
                group[0][1].set_exception(error)
            return
        for _, written in group:
            if not written.done():  # its caller has not left
                written.set_result(None)
