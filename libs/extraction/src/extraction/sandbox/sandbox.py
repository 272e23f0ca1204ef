"""Tasks in worker processes, so that hostile bytes end their own task and nothing else.

Each worker has a limit of memory, and all workers of a process together have one, too: a task waits until there is
room for it.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import structlog

from extraction.model.failures import LeftTooMuch, ParseFailed, crashed, timed_out, too_large
from extraction.sandbox.pool import ForkServerLost, Worker, WorkerPool
from extraction.sandbox.worker import NOT_NOW

log = structlog.get_logger(__name__)
OVERDUE = "overdue"
OUT_OF_ROOM = (-signal.SIGXFSZ, -signal.SIGABRT)
"""How workers end at their limits of room: libraries written in C abort where they get no memory."""
MOST_FAILURE_BYTES = 65_536
"""Of `failure.json`."""
SHOWN_STDERR_BYTES = 800


def take_file(path: Path, most: int, what: str) -> bytes:
    """A file that a worker left, which may be a hostile document's work; raises `LeftTooMuch` for more than `most`
    bytes, without reading on.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)  # not by its size: the worker may still be writing
    if len(content) > most:
        raise LeftTooMuch(what, most)
    return content


class MemoryBudget:
    """What all workers of a process may use together. First come, first served, so that large ones get their turn."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._free = total_bytes
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @property
    def taken_bytes(self) -> int:
        """What is in use."""
        return self.total_bytes - self._free

    async def take(self, amount: int) -> Callable[[], None]:
        """Take so many bytes, as soon as they are free, and return how to release them; `ValueError` if never."""
        if amount > self.total_bytes:
            raise ValueError(f"{amount} bytes of a total of {self.total_bytes}")
        async with self._turn:
            while self._free < amount:
                self._freed.clear()
                await self._freed.wait()
            self._free -= amount
        return partial(self._release, [amount])

    def _release(self, held: list[int]) -> None:
        if held:
            self._free += held.pop()
            self._freed.set()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one worker may use."""

    seconds: float
    memory_bytes: int
    """Of address space."""
    file_bytes: int
    """Of each file that it writes."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task that a worker carries out."""

    worker: Worker
    folder: Path
    """Where the worker leaves its files; removed with all that is in it when the task ends."""
    seconds: float

    async def lines(self) -> AsyncIterator[str]:
        """What the worker says of each step; raises `ParseFailed`, also between two lines."""
        async for line in self.worker.output:
            yield line.decode().rstrip("\n")
        status = await self.worker.ended
        await asyncio.to_thread(_check, self.folder, status, self.seconds)


class Sandbox:
    """Starts one worker a task and holds it to its bounds."""

    def __init__(self, memory: MemoryBudget, preloaded: Sequence[str], scratch: Path | None = None) -> None:
        """`scratch` is where workers leave their files; null: the system's folder for temporary files."""
        self.memory = memory
        self.workers = WorkerPool(preloaded)
        self._scratch = scratch

    def close(self) -> None:
        """End the fork server."""
        self.workers.close()

    def cleanup(self, seconds: float) -> None:
        """Remove what processes that were killed left behind: folders that nothing was written to for so long."""
        if self._scratch is not None:
            for folder in self._scratch.iterdir():
                with suppress(FileNotFoundError):  # another process's, gone meanwhile
                    if time.time() - folder.stat().st_mtime > seconds:
                        shutil.rmtree(folder, ignore_errors=True)

    @asynccontextmanager
    async def task(
        self, name: str, source: Path | IO[bytes], options: Mapping[str, Any], bounds: Bounds
    ) -> AsyncIterator[Task]:
        """A task of this block: the module `name` is run, once there is memory, with `options` beside its bounds.

        The worker does not wait for the caller. It is killed when its time is over or the block ends.
        """
        task_options = {
            **options,
            "task": name,
            "seconds": bounds.seconds,
            "memory_bytes": bounds.memory_bytes,
            "file_bytes": bounds.file_bytes,
        }
        release = await self.memory.take(bounds.memory_bytes)
        try:
            with tempfile.TemporaryDirectory(prefix="groundwork-task-", dir=self._scratch) as path:
                folder = Path(path)
                with (folder / "stderr").open("wb") as stderr:
                    async with self.workers.worker(source, folder, stderr.fileno(), task_options) as worker:
                        worker.ended.add_done_callback(lambda _: release())  # before its output is taken
                        end = asyncio.get_running_loop().call_later(bounds.seconds, self._end, worker, folder)
                        try:
                            yield Task(worker, folder, bounds.seconds)
                        finally:
                            end.cancel()
        finally:
            release()

    def _end(self, worker: Worker, folder: Path) -> None:
        if not worker.ended.done():
            (folder / OVERDUE).touch()
            self.workers.kill(worker)


def _check(folder: Path, status: int, seconds: float) -> None:
    """Raise why there is no more, unless the task has come to its end."""
    if (folder / OVERDUE).exists():
        raise timed_out(seconds)
    failure = folder / "failure.json"
    if failure.is_file() and failure.stat().st_size:
        saved = json.loads(take_file(failure, MOST_FAILURE_BYTES, "reasons for a failure"))
        raise ParseFailed(saved["code"], saved["message"])
    if status == 0:
        return
    if status == NOT_NOW:
        raise ForkServerLost
    stderr = _end_of(folder / "stderr")
    log.warning("a sandbox worker died", status=status, stderr=stderr)
    if status == -signal.SIGXCPU:
        raise timed_out(seconds)
    if status in OUT_OF_ROOM or "MemoryError" in stderr or "bad_alloc" in stderr:
        raise too_large()
    raise crashed()


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - SHOWN_STDERR_BYTES))
        return file.read(SHOWN_STDERR_BYTES).decode("utf-8", "replace")
