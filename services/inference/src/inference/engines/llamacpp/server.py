"""Keeps one model's llama.cpp running: started anew when its process ends, hangs or takes more memory than it may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from inference.engines.llamacpp.heartbeat import LOOK_SECONDS, Heartbeat
from inference.engines.llamacpp.process import ServerProcess
from inference.errors import CannotLoad, ModelNotReady
from inference.metrics import ENGINE_RESTARTS
from servicekit.telemetry.metrics import begin_at_zero

log = structlog.get_logger(__name__)
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
"""Before a model that had been loaded is loaded again, however often it died."""
LONGEST_PAUSE_OF_FAILURES_SECONDS = 30.0
"""Before one is tried again that could not be loaded."""
LIVED_SECONDS = 5.0
"""A process that served for so long is started again without a pause to speak of."""


class LlamaServer:
    """`start` makes a process that serves the model; `moved` is told its address, or None while there is none."""

    def __init__(
        self,
        model: str,
        *,
        start: Callable[[], Awaitable[ServerProcess]],
        moved: Callable[[str | None], None],
        heartbeat: Heartbeat,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._start = start
        self._moved = moved
        self._heartbeat = heartbeat
        self._now = now
        self._process: ServerProcess | None = None
        self._watching: asyncio.Task[None] | None = None
        self._why = ""
        begin_at_zero(ENGINE_RESTARTS, [model])

    @property
    def pid(self) -> int | None:
        """The running process's number."""
        return self._process.pid if self._process else None

    async def open(self, memory_bytes: int | None) -> None:
        """Start it, and watch over it; raises `CannotLoad`. Beyond so much memory it is started anew."""
        process = await self._start()
        self._serve(process)
        self._watching = asyncio.create_task(self._watch(process, memory_bytes))

    def check(self) -> None:
        """Raise `ModelNotReady` while no process serves the model."""
        if self._process is None:
            raise ModelNotReady(self._model, self._why or "it is loading")

    async def close(self) -> None:
        """End it for good."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._heartbeat.stop()
        if self._process is not None:
            await self._process.end()
            self._process = None

    async def _watch(self, process: ServerProcess, memory_bytes: int | None) -> None:
        failures = 0
        while True:
            began = self._now()
            self._why = f"{await self._end_of(process, memory_bytes)}, and is started again"
            await self._heartbeat.stop()
            self._process = None
            self._moved(None)
            log.error("a model's process has ended", model=self._model, why=self._why)
            await process.end()
            failures = 0 if self._now() - began >= LIVED_SECONDS else failures + 1
            process = await self._started_again(failures)
            self._serve(process)
            log.info("a model's process serves again", model=self._model, pid=process.pid)

    async def _end_of(self, process: ServerProcess, memory_bytes: int | None) -> str:
        """Wait until it ends, hangs or takes too much memory; why it serves no more."""
        while (code := await process.wait(LOOK_SECONDS)) is None:
            if memory_bytes is not None and process.memory_bytes() > memory_bytes:
                return f"its process took more than {memory_bytes // 1_000_000} MB"
            if (silent := self._heartbeat.look(process.cpu_seconds())) is not None:
                return f"its process hung: it has answered nothing for {silent:.0f} s"
        return f"its process ended by signal {-code}" if code < 0 else f"its process ended with {code}"

    async def _started_again(self, failures: int) -> ServerProcess:
        """The next process that loads the model, after longer and longer pauses."""
        longest = LONGEST_PAUSE_SECONDS
        while True:
            await asyncio.sleep(min(longest, FIRST_PAUSE_SECONDS * 2 ** min(failures, 20)))
            ENGINE_RESTARTS.labels(self._model).inc()
            try:
                return await self._start()
            except (CannotLoad, OSError) as error:
                self._why = f"it can't be started again: {error}"
                log.error("a model's process can't be started again", model=self._model, why=str(error))
                failures, longest = failures + 1, LONGEST_PAUSE_OF_FAILURES_SECONDS

    def _serve(self, process: ServerProcess) -> None:
        self._process = process
        self._moved(process.address)
