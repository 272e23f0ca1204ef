"""The worker's loop: claim while there are slots, look again when woken, when a job ends, and every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ingest import metrics
from ingest.jobs.ledger import Ledger
from ingest.tables import ANSWERS
from ingest.worker.slots import Slots
from servicekit.core.errors import NotReady, is_disk_full

log = structlog.get_logger(__name__)
ANNOUNCE_SECONDS = 10.0
SILENT_LOOKS = 5
"""Looks that may be missed before the worker counts as stuck."""


class WorkerLoop:
    """Works until it is told to stop, then lets running jobs come to the end of their batch."""

    def __init__(self, ledger: Ledger, slots: Slots, owner: str, size: int, poll_seconds: float) -> None:
        self._ledger = ledger
        self._slots = slots
        self._owner = owner
        self._size = size
        self._poll = poll_seconds
        self._bell = asyncio.Event()
        self._stopping = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._started_at: datetime = ledger.clock.now()
        self._when_stopping: Callable[[], None] = lambda: None
        self._looked_at = time.monotonic()
        self._announced_at = float("-inf")

    def ring(self) -> None:
        """Look into the ledger now. Only from the loop's own thread."""
        self._bell.set()

    def when_stopping(self, act: Callable[[], None]) -> None:
        """Have something done once no more is claimed, before running jobs are waited for."""
        self._when_stopping = act

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping.set()
        self._bell.set()

    async def run(self, grace_seconds: float) -> None:
        """Work until `stop`; then wait at most `grace_seconds` for running jobs, and put back those still running."""
        while not self._stopping.is_set():
            self._bell.clear()
            try:
                await self._look()
            except (SQLAlchemyError, OSError) as error:
                log.error("the ledger can't be read", error=repr(error)[:300])
                if is_disk_full(error):  # it was looked into, and starting this worker anew would make no room
                    self._looked_at = time.monotonic()
            try:
                async with asyncio.timeout(self._poll):
                    await self._bell.wait()
            except TimeoutError:
                pass
        await asyncio.to_thread(self._when_stopping)
        await self._drain(grace_seconds)

    @property
    def silent_seconds(self) -> float:
        """How long ago the loop last looked into the ledger."""
        return time.monotonic() - self._looked_at

    async def probe(self) -> None:
        """Raise if the loop has not looked into the ledger for too long."""
        silent = self.silent_seconds
        if silent > max(SILENT_LOOKS * self._poll, 10.0):
            raise NotReady(f"The worker last looked into the ledger {silent:.0f} s ago.")

    async def _look(self) -> None:
        while len(self._running) < self._size and not self._stopping.is_set():
            work = await self._ledger.claim(self._owner)
            if work is None:
                break
            task = asyncio.create_task(self._slots.run(work, self._stopping))
            self._running.add(task)
            task.add_done_callback(self._ended)
            self._count_slots()
        self._looked_at = time.monotonic()
        metrics.HEARTBEAT.set_to_current_time()
        if time.monotonic() - self._announced_at > ANNOUNCE_SECONDS:
            await self._announce()

    async def _announce(self) -> None:
        await self._ledger.announce(self._owner, self._size, self._slots.reading, self._started_at)
        async with self._ledger.database.write() as connection:
            await ANSWERS.prune(connection, self._ledger.clock.now())
        self._announced_at = time.monotonic()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._count_slots()
        self._bell.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("a slot broke", exc_info=task.exception())

    def _count_slots(self) -> None:
        metrics.SLOTS.labels("busy").set(len(self._running))
        metrics.SLOTS.labels("free").set(self._size - len(self._running))

    async def _drain(self, grace_seconds: float) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=grace_seconds)
        left = list(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        try:
            await self._ledger.sign_off(self._owner)
        except (SQLAlchemyError, OSError) as error:
            log.warning("could not sign off", error=repr(error)[:300])
