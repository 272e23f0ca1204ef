"""A worker: it claims while it has slots, when woken, when a job ends, and every few seconds."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic

import structlog
from sqlalchemy.exc import SQLAlchemyError

from servicekit.core.errors import NotReady, is_disk_full
from servicekit.core.identifiers import new_id
from servicekit.jobs.kind import Job
from servicekit.jobs.notifier import Subscription
from servicekit.jobs.runner import Runner

log = structlog.get_logger(__name__)
SILENT_LOOKS = 5
"""Looks that may be missed before the worker counts as stuck."""
SILENT_SECONDS = 15.0
"""As long as a look may wait for other writers of an embedded database."""


@dataclass(frozen=True, slots=True)
class Chore:
    """What a worker does beside its jobs, at its first look and then every so many seconds."""

    seconds: float
    act: Callable[[], Awaitable[None]]


class Worker(Generic[Job]):
    """Works until it is told to stop, then lets jobs come to the end of their step."""

    def __init__(
        self, runner: Runner[Job], owner: str, slots: int, poll_seconds: float, chores: Sequence[Chore] = ()
    ) -> None:
        self.runner = runner
        self.owner = owner
        self.slots = slots
        self._poll = poll_seconds
        self._chores = {chore: float("-inf") for chore in chores}
        self._stopping = asyncio.Event()
        self._woken = Subscription()
        self._running: set[asyncio.Task[None]] = set()
        self._looked_at = time.monotonic()
        self._when_stopping: Callable[[], None] = lambda: None

    def wake(self) -> None:
        """Look for jobs now. Only from the event loop's own thread."""
        self._woken.wake()

    def stop(self) -> None:
        """Claim nothing more; jobs are requeued at the end of their step."""
        self._stopping.set()
        self.wake()

    @property
    def is_stopping(self) -> bool:
        """Whether the worker ends."""
        return self._stopping.is_set()

    def when_stopping(self, act: Callable[[], None]) -> None:
        """Have something done once no more is claimed, before running jobs are waited for."""
        self._when_stopping = act

    async def run(self, grace_seconds: float) -> None:
        """Work until `stop`; then wait at most `grace_seconds` for steps under way, and requeue what is left."""
        with self.runner.queue.store.notifier.subscribe(None, self._woken):
            while not self._stopping.is_set():
                try:
                    await self._look()
                except (SQLAlchemyError, OSError) as error:
                    log.error("jobs can't be read", error=repr(error)[:300])
                    if is_disk_full(error):  # they were looked for, and starting the worker anew would make no room
                        self._looked_at = time.monotonic()
                except Exception:
                    log.exception("jobs can't be looked for")  # whatever it is: nobody else would look for them
                    await self._rest()
                await self._woken.wait(self._poll)
        await asyncio.to_thread(self._when_stopping)
        await self._drain(grace_seconds)

    @property
    def silent_seconds(self) -> float:
        """How long ago the worker last looked for jobs."""
        return time.monotonic() - self._looked_at

    async def probe(self) -> None:
        """Raise if the worker has not looked for jobs for too long."""
        silent = self.silent_seconds
        if silent > max(SILENT_LOOKS * self._poll, SILENT_SECONDS):
            raise NotReady(f"The worker last looked for jobs {silent:.0f} s ago.")

    async def _rest(self) -> None:
        """A pause that nothing ends but `stop`: what went wrong would go wrong as often as anything wakes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll):
                await self._stopping.wait()

    async def _look(self) -> None:
        runner = self.runner
        while len(self._running) < self.slots and not self._stopping.is_set():
            job = await runner.queue.claim(self.owner)
            if job is None:
                break
            runner.observer.claimed(job)
            task = asyncio.create_task(runner.run(job, self._stopping))
            self._running.add(task)
            task.add_done_callback(self._ended)
            self._count_slots()
        self._count_slots()
        self._looked_at = time.monotonic()
        runner.observer.looked()
        for chore, done_at in self._chores.items():
            if time.monotonic() - done_at > chore.seconds:
                await chore.act()
                self._chores[chore] = time.monotonic()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._count_slots()
        self.wake()
        if not task.cancelled() and task.exception() is not None:
            log.error("a slot broke", exc_info=task.exception())

    def _count_slots(self) -> None:
        self.runner.observer.slots(len(self._running), self.slots - len(self._running))

    async def _drain(self, grace_seconds: float) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=grace_seconds)
        left = list(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def worker_name(service: str) -> str:
    """A name that no other process and no later process with the same number has."""
    return f"{service}@{socket.gethostname()[:40]}:{os.getpid()}:{new_id('p')[-8:]}"


@asynccontextmanager
async def run_worker(worker: Worker[Any], drain_seconds: float) -> AsyncIterator[None]:
    """Work while the block lasts; then let steps that are under way end."""
    task = asyncio.create_task(worker.run(drain_seconds))
    task.add_done_callback(_log_end)
    try:
        yield
    finally:
        worker.stop()
        await asyncio.gather(task, return_exceptions=True)


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("a worker has broken off", exc_info=task.exception())
