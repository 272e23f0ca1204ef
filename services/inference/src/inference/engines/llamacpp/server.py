"""Keeps one model's llama.cpp running: started anew when its process ends, hangs or takes more memory than it may.

One that nobody asks sleeps: its process is ended, and started again by the next call, which waits for it. It sleeps
sooner where another model needs its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import structlog

from inference.engines.llamacpp.heartbeat import LOOK_SECONDS, Heartbeat
from inference.engines.llamacpp.memory_pool import MemoryPool
from inference.engines.llamacpp.process import ServerProcess
from inference.errors import CannotLoad, ModelBusy, ModelNotReady, ModelTooLarge
from inference.metrics import ASLEEP, ENGINE_RESTARTS
from servicekit.telemetry.metrics import begin_at_zero

log = structlog.get_logger(__name__)
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
"""Before a model that had been loaded is loaded again, however often it died."""
LONGEST_PAUSE_OF_FAILURES_SECONDS = 30.0
"""Before one is tried again that could not be loaded."""
LIVED_SECONDS = 5.0
"""A process that served for so long is started again without a pause to speak of."""
MOST_WAITING = 256
"""Calls that wait for one that sleeps; those beyond are told to come back."""
RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Sleep:
    """From the end of a process to the end of a try to start the next one."""

    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Future[Exception | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """With what that failed by."""


class LlamaServer:
    """`start` makes a process that serves the model; `moved` is told its address, or None while there is none."""

    def __init__(
        self,
        model: str,
        *,
        start: Callable[[], Awaitable[ServerProcess]],
        moved: Callable[[str | None], None],
        heartbeat: Heartbeat,
        pool: MemoryPool,
        idle_seconds: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """After `idle_seconds` without a call it sleeps; 0 is never. `start` reserves its part of the `pool`, which is
        given back here."""
        self._model = model
        self._start = start
        self._moved = moved
        self._heartbeat = heartbeat
        self._pool = pool
        self._now = now
        self._process: ServerProcess | None = None
        self._watching: asyncio.Task[None] | None = None
        self._why = ""
        self._idle_seconds = idle_seconds
        self._holds = 0
        self._used_at = now()
        self._sleep: _Sleep | None = None
        begin_at_zero(ENGINE_RESTARTS, [model])
        ASLEEP.labels(model).set(0)

    @property
    def pid(self) -> int | None:
        """The running process's number."""
        return self._process.pid if self._process else None

    @property
    def is_asleep(self) -> bool:
        """Whether it has no process since nobody asks, or is being started again."""
        return self._sleep is not None

    @property
    def idle_since(self) -> float | None:
        """When it was last used; None while it is, and of one that never sleeps or has no process to end."""
        can_sleep = self._idle_seconds and self._process is not None and self._sleep is None and not self._holds
        return self._used_at if can_sleep else None

    @property
    def private_bytes(self) -> int:
        """What its process holds of the memory beside pages of files."""
        return self._process.private_bytes() if self._process is not None else 0

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncGenerator[None, None]:
        """Have it serve while the block runs, started again if it sleeps.

        Raises `ModelNotReady` where it can't be started, `ModelBusy` where as many wait for that as may.
        """
        with self.hold():
            if self._sleep is not None:
                await self._wake(self._sleep)
            try:
                yield
            finally:
                self._used_at = self._now()

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keep it from falling asleep while the block runs, though that is no use of it."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._pool.notify()

    async def open(self, memory_bytes: int | None, *, asleep: bool = False) -> None:
        """Start it, and watch over it; raises `CannotLoad`. Beyond so much memory it is started anew.

        It begins `asleep` if it is to, and where it may sleep and there is no room for it now.
        """
        process = None if asleep else await self._first()
        if process is None:
            self._begin_sleep()
        else:
            self._serve(process)
        self._watching = asyncio.create_task(self._watch(process, memory_bytes))

    async def fall_asleep(self) -> None:
        """End its process before its time, so that another model has the memory; of one that is idle."""
        process = self._process
        assert process is not None
        self._begin_sleep()  # nothing is awaited from where it was seen to be idle to here
        log.info("a model sleeps: another one needs its memory", model=self._model)
        await self._end(process)

    def check(self) -> None:
        """Raise `ModelNotReady` while no process serves the model, unless it sleeps and nothing speaks against its
        being started again."""
        if self._process is None and (self._why or not self.is_asleep):
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
        self._pool.release(self)

    async def _first(self) -> ServerProcess | None:
        try:
            return await self._start()
        except ModelTooLarge as error:
            if not self._idle_seconds:
                raise
            log.warning("a model sleeps: there is no room for it now", model=self._model, why=str(error))
            return None

    async def _watch(self, process: ServerProcess | None, memory_bytes: int | None) -> None:
        failures = 0
        try:
            while True:
                began = self._now()
                why = None if process is None else await self._end_of(process, memory_bytes)
                if process is None or why is None:
                    process, failures = await self._sleep_until_asked(process), 0
                    continue
                self._why = f"{why}, and is started again"
                log.error("a model's process has ended", model=self._model, why=self._why)
                await self._end(process)
                failures = 0 if self._now() - began >= LIVED_SECONDS else failures + 1
                process = await self._started_again(failures)
                self._serve(process)
                log.info("a model's process serves again", model=self._model, pid=process.pid)
        finally:
            if self._sleep is not None:  # nobody starts it any more
                self._sleep.over.set_result(CannotLoad("it is being removed, or inference ends"))

    async def _end_of(self, process: ServerProcess, memory_bytes: int | None) -> str | None:
        """Wait until it ends, hangs or takes too much memory; why it serves no more. None where nobody asks it, or
        another model needs its memory."""
        while (code := await process.wait(LOOK_SECONDS)) is None or self._sleep is not None:
            if self._sleep is not None:
                return None
            if memory_bytes is not None and process.memory_bytes() > memory_bytes:
                return f"its process took more than {memory_bytes // 1_000_000} MB"
            if (silent := self._heartbeat.look(process.cpu_seconds())) is not None:
                return f"its process hung: it has answered nothing for {silent:.0f} s"
            if self._idle_seconds and not self._holds and self._now() - self._used_at >= self._idle_seconds:
                return None  # nothing is awaited from here to where it is known to sleep
        return f"its process ended by signal {-code}" if code < 0 else f"its process ended with {code}"

    async def _started_again(self, failures: int) -> ServerProcess:
        """The next process that loads the model, after longer and longer pauses. One that fails to start gives its
        part of the memory back, and each later try reserves it anew."""
        longest = LONGEST_PAUSE_SECONDS
        while True:
            await asyncio.sleep(min(longest, FIRST_PAUSE_SECONDS * 2 ** min(failures, 20)))
            ENGINE_RESTARTS.labels(self._model).inc()
            try:
                return await self._start()
            except (CannotLoad, OSError) as error:
                self._pool.release(self)
                self._why = f"it can't be started again: {error}"
                log.error("a model's process can't be started again", model=self._model, why=str(error))
                failures, longest = failures + 1, LONGEST_PAUSE_OF_FAILURES_SECONDS

    async def _sleep_until_asked(self, process: ServerProcess | None) -> ServerProcess:
        """End the process, if there is one still; the one that was started when somebody asked."""
        if self._sleep is None:
            log.info("a model sleeps: nobody asked it", model=self._model, seconds=self._idle_seconds)
        sleep = self._sleep or self._begin_sleep()
        if process is not None:
            await self._end(process)
        self._pool.release(self)
        pause = None
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(sleep.wanted.wait(), pause)
            try:
                process = await self._start()
            except ModelTooLarge as error:  # which is nothing against it: the next call finds room, maybe
                log.warning("a model that slept has no room", model=self._model, why=str(error))
                failed, sleep = sleep, self._begin_sleep()
                self._why, pause = "", None
                failed.over.set_result(error)
                continue
            except (CannotLoad, OSError) as error:
                self._why = f"it failed to load: {error}"
                log.error("a model that slept can't be started again", model=self._model, why=str(error))
                failed, sleep = sleep, self._begin_sleep()
                failed.over.set_result(error)
                pause = LONGEST_PAUSE_OF_FAILURES_SECONDS  # somebody wanted it
                continue
            self._serve(process)
            self._sleep = None
            ASLEEP.labels(self._model).set(0)
            sleep.over.set_result(None)
            log.info("a model that slept serves again", model=self._model, pid=process.pid)
            return process

    async def _wake(self, sleep: _Sleep) -> None:
        if self._holds > MOST_WAITING:
            raise ModelBusy(self._model, RETRY_SECONDS)
        sleep.wanted.set()
        error = await asyncio.shield(sleep.over)
        if isinstance(error, ModelTooLarge):
            raise ModelNotReady(self._model, f"it sleeps, and {error}", RETRY_SECONDS, error.code)
        if error is not None:
            code = error.code if isinstance(error, CannotLoad) else None
            raise ModelNotReady(self._model, f"it failed to load: {error}", code=code)

    def _begin_sleep(self) -> _Sleep:
        self._sleep = _Sleep()
        ASLEEP.labels(self._model).set(1)
        return self._sleep

    async def _end(self, process: ServerProcess) -> None:
        await self._heartbeat.stop()
        self._process = None
        self._moved(None)
        await process.end()

    def _serve(self, process: ServerProcess) -> None:
        self._process = process
        self._why, self._used_at = "", self._now()
        self._moved(process.address)
        self._pool.notify()  # what it has on GPUs is no longer to come
