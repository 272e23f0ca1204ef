"""The loop that runs agents: it claims while there are slots, when woken, when a run ends, and every few seconds."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from agent import metrics
from agent.runs.queue import RunLedger
from agent.settings import AgentSettings
from agent.threads import retention
from agent.worker.execution import Execution
from servicekit.core.errors import NotReady

log = structlog.get_logger(__name__)
PURGE_SECONDS = 300.0
SILENT_LOOKS = 5


class RunLoop:
    """Works until it is told to stop, then lets runs come to the end of their step."""

    def __init__(self, ledger: RunLedger, execution: Execution, owner: str, settings: AgentSettings) -> None:
        self._ledger = ledger
        self.execution = execution
        self._owner = owner
        self._settings = settings
        self._stopping = asyncio.Event()
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._looked_at = time.monotonic()
        self._purged_at = float("-inf")

    def stop(self) -> None:
        """Claim nothing more; runs go back to the queue at their next step."""
        self._stopping.set()
        self._woken.set()

    @property
    def is_stopping(self) -> bool:
        """Whether the process ends."""
        return self._stopping.is_set()

    async def run(self) -> None:
        """Work until `stop`; then wait for running steps as long as settings allow, and put back what is left."""
        with self._ledger.notifier.subscribe(None) as subscription:
            while not self._stopping.is_set():
                try:
                    await self._look()
                except (SQLAlchemyError, OSError) as error:
                    log.error("the ledger can't be read", error=repr(error)[:300])
                except Exception:
                    log.exception("runs can't be looked for")  # whatever it is: who would look for them if not this?
                    await self._rest()
                ringing = asyncio.create_task(subscription.wait(self._settings.run_poll_seconds))
                ended = asyncio.create_task(self._woken.wait())
                await asyncio.wait({ringing, ended}, return_when=asyncio.FIRST_COMPLETED)
                for waiting in (ringing, ended):
                    waiting.cancel()
                await asyncio.gather(ringing, ended, return_exceptions=True)
                self._woken.clear()
        await self._drain()

    async def _rest(self) -> None:
        """A pause that no notifier ends: what went wrong would go wrong as often as anything rings."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.run_poll_seconds):
                await self._stopping.wait()

    async def probe(self) -> None:
        """Raise if the loop has not looked into the ledger for too long."""
        silent = time.monotonic() - self._looked_at
        if silent > max(SILENT_LOOKS * self._settings.run_poll_seconds, 15.0):
            raise NotReady(f"Runs were last looked for {silent:.0f} s ago.")

    async def _look(self) -> None:
        while len(self._running) < self._settings.run_slots and not self._stopping.is_set():
            work = await self._ledger.claim(self._owner)
            if work is None:
                break
            metrics.RUN_CLAIMS.labels("first" if work.row["attempts"] == 1 else "again").inc()
            task = asyncio.create_task(self.execution.run(work, self._stopping))
            self._running.add(task)
            task.add_done_callback(self._ended)
        self._count_slots()
        self._looked_at = time.monotonic()
        if time.monotonic() - self._purged_at > PURGE_SECONDS:
            await self._ledger.purge(timedelta(seconds=self._settings.events_kept_seconds))
            if days := self._settings.threads_kept_days:
                await retention.prune_threads(self._ledger.database, self._ledger.clock.now() - timedelta(days=days))
            self._purged_at = time.monotonic()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._count_slots()
        self._woken.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("a run's slot broke", exc_info=task.exception())

    def _count_slots(self) -> None:
        metrics.RUN_SLOTS.labels("busy").set(len(self._running))
        metrics.RUN_SLOTS.labels("free").set(self._settings.run_slots - len(self._running))

    async def _drain(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=self._settings.drain_seconds)
        left = list(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
