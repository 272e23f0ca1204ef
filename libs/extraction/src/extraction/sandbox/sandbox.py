"""Tasks in child processes, so that hostile bytes end their own task and nothing else.

Each child has a limit of memory, and all children of a process together have one, too: a task waits until there is
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

from extraction.model.failures import ParseFailed, crashed, timed_out, too_large
from extraction.sandbox.pool import Child, Children, NurseryLost
from extraction.sandbox.worker import NOT_NOW

log = structlog.get_logger(__name__)
OVERDUE = "overdue"
OUT_OF_ROOM = (-signal.SIGXFSZ, -signal.SIGABRT)
"""How children end at their limits of room: libraries written in C abort where they get no memory."""


class MemoryBudget:
    """What all children of a process may use together. First come, first served, so that large ones get their turn."""

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
        """Take so many bytes, as soon as they are free, and return how to give them back; `ValueError` if never."""
        if amount > self.total_bytes:
            raise ValueError(f"{amount} bytes of a total of {self.total_bytes}")
        async with self._turn:
            while self._free < amount:
                self._freed.clear()
                await self._freed.wait()
            self._free -= amount
        return partial(self._give_back, [amount])

    def _give_back(self, held: list[int]) -> None:
        if held:
            self._free += held.pop()
            self._freed.set()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one child may use."""

    seconds: float
    memory_bytes: int
    """Of address space."""
    file_bytes: int
    """Of each file that it writes."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task that a child carries out."""

    child: Child
    folder: Path
    """Where the child leaves its files; removed with all that is in it when the task ends."""
    seconds: float

    async def lines(self) -> AsyncIterator[str]:
        """What the child says of each step; raises `ParseFailed`, also between two lines."""
        async for line in self.child.output:
            yield line.decode().rstrip("\n")
        status = await self.child.ended
        await asyncio.to_thread(_check, self.folder, status, self.seconds)


class Sandbox:
    """Starts one child a task and holds it to its bounds."""

    def __init__(self, memory: MemoryBudget, preloaded: Sequence[str], scratch: Path | None = None) -> None:
        """`scratch` is where children leave their files; null: the system's folder for temporary files."""
        self.memory = memory
        self.children = Children(preloaded)
        self._scratch = scratch

    def close(self) -> None:
        """End what children come from."""
        self.children.close()

    def sweep(self, seconds: float) -> None:
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

        The child does not wait for the caller. It is killed when its time is over or the block ends.
        """
        told = {
            **options,
            "task": name,
            "seconds": bounds.seconds,
            "memory_bytes": bounds.memory_bytes,
            "file_bytes": bounds.file_bytes,
        }
        give_back = await self.memory.take(bounds.memory_bytes)
        try:
            with tempfile.TemporaryDirectory(prefix="groundwork-task-", dir=self._scratch) as path:
                folder = Path(path)
                with (folder / "complaints").open("wb") as complaints:
                    async with self.children.child(source, folder, complaints.fileno(), told) as child:
                        child.ended.add_done_callback(lambda _: give_back())  # before its output is taken
                        end = asyncio.get_running_loop().call_later(bounds.seconds, self._end, child, folder)
                        try:
                            yield Task(child, folder, bounds.seconds)
                        finally:
                            end.cancel()
        finally:
            give_back()

    def _end(self, child: Child, folder: Path) -> None:
        if not child.ended.done():
            (folder / OVERDUE).touch()
            self.children.kill(child)


def _check(folder: Path, status: int, seconds: float) -> None:
    """Raise why there is no more, unless the task has come to its end."""
    if (folder / OVERDUE).exists():
        raise timed_out(seconds)
    failure = folder / "failure.json"
    if failure.is_file() and failure.stat().st_size:
        told = json.loads(failure.read_text())
        raise ParseFailed(told["code"], told["message"])
    if status == 0:
        return
    if status == NOT_NOW:
        raise NurseryLost
    complaints = (folder / "complaints").read_bytes()[-800:].decode("utf-8", "replace")
    log.warning("a child died", status=status, complaints=complaints)
    if status == -signal.SIGXCPU:
        raise timed_out(seconds)
    if status in OUT_OF_ROOM or "MemoryError" in complaints or "bad_alloc" in complaints:
        raise too_large()
    raise crashed()
