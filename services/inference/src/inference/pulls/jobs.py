"""A pull as a durable job: fetch what the plan says, from where it was, then declare the model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import structlog
from sqlalchemy import RowMapping

from contracts.documents.documents import Failure
from contracts.models.catalog import ModelDeclaration
from inference.declarations.service import DeclaredModels
from inference.pulls import ollama
from inference.pulls.errors import FolderUnwritable, NoRoom, OllamaFailed, PullTooLarge
from inference.pulls.hub_files import HubFiles, HubPlan
from servicekit.core.disk import DiskRoom
from servicekit.core.errors import DiskFull, ServiceError, is_disk_full
from servicekit.jobs.kind import JobKind
from servicekit.jobs.leased_job import Change, JobStore, LeasedJob
from servicekit.jobs.leases import Lease
from servicekit.jobs.outcomes import Ending, Fail, Outcome, RetryPolicy, failure_of
from servicekit.sql.transaction import Transaction

log = structlog.get_logger(__name__)
WRITE_SECONDS = 1.0
"""How often it is written down how much is there."""
DECLARED = "declared"
"""What the plan of a job says whose model is declared already, so that it can't end as cancelled."""


@dataclass(frozen=True)
class Fetching:
    """Where models come from, and what holds of all of them."""

    hub: HubFiles
    connect: Callable[[str], aiohttp.ClientSession]
    """What reaches an Ollama server at a URL, if it may be reached."""
    room: DiskRoom
    most_bytes: int
    """Of one pull; 0 forbids all."""

    def check_size(self, size: int) -> None:
        """Raise `PullTooLarge` for more than is allowed."""
        if size > self.most_bytes:
            raise PullTooLarge(size, self.most_bytes)

    def check_room(self, plan: HubPlan, pull_id: str = "") -> None:
        """Raise `NoRoom` where the disk has none for what is missing. Blocks."""
        missing = self.hub.missing(plan, pull_id)
        if missing and not self.room.has(missing):
            raise NoRoom(missing, self.room.free_bytes - self.room.reserve_bytes)

    def cleanup(self, pull: Mapping[str, Any] | RowMapping) -> None:
        """Delete what a pull that is over without a model has fetched here. Blocks."""
        if pull["claimed_at"] is not None and "ollama" not in pull["plan"]:
            self.hub.cleanup(HubPlan.model_validate(pull["plan"]), pull["id"])


@dataclass(frozen=True)
class PullJobs(JobKind[LeasedJob]):
    """Pulls of either kind."""

    fetching: Fetching
    declared: DeclaredModels
    retry = RetryPolicy(max_attempts=5, max_wait=1800)
    name = "pull"

    async def load(self, connection: Transaction, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> LeasedJob:
        """The row is all there is."""
        return LeasedJob(store, lease, row)

    async def run(self, job: LeasedJob) -> None:
        """Fetch, then declare."""
        plan, progress = job.row["plan"], _Progress(job, self.fetching)
        if "ollama" in plan:
            url = plan["base_url"]
            await ollama.pull(self.fetching.connect(url), url, plan["ollama"], progress.of_server)
        else:
            files = HubPlan.model_validate(plan)
            self.fetching.check_size(files.size)
            await asyncio.to_thread(self.fetching.check_room, files, job.id)
            await self.fetching.hub.fetch(files, job.id, progress.of_hub)
        name, declaration = job.row["model"], ModelDeclaration.model_validate(job.row["declaration"])
        self.declared.check_free(name, await self.declared.check(name, declaration))
        await self.declared.put(name, declaration, partial(_declare, job))
        ready = {"status": "ready", "finished_at": job.clock.now(), "bytes_done": progress.done}
        async with job.releasing({**ready, "bytes_total": progress.total or progress.done}):
            log.info("model pulled", model=name, bytes=progress.done)

    async def end(self, job: LeasedJob, ending: Ending) -> None:
        """Nothing of it stays that no model has."""
        await asyncio.to_thread(self.fetching.cleanup, job.row)
        error = None if ending.failure is None else ending.failure.model_dump()
        status = "failed" if isinstance(ending, Fail) else "cancelled"
        async with job.releasing({"status": status, "error": error, "finished_at": job.clock.now()}):
            pass

    def decide(self, job: LeasedJob, error: Exception) -> Outcome:
        """A full disk is not waited for: somebody has to make room first, and half a file takes some. What Ollama said
        last is the reason where it was tried in vain."""
        if is_disk_full(error):
            full = error if isinstance(error, DiskFull) else DiskFull()
            return Fail(Failure(code=full.code, message=full.message, retryable=True))
        if isinstance(error, OSError):
            return Fail(failure_of(FolderUnwritable(error.strerror or repr(error))))
        if isinstance(error, OllamaFailed):
            again = self.retry.try_again(job.failed_attempts)
            return Fail(failure_of(error, retryable=True)) if isinstance(again, Fail) else again
        return super().decide(job, error)

    def expects(self, error: Exception) -> bool:
        """Disks fail, too."""
        return isinstance(error, ServiceError | OSError)


async def _declare(job: LeasedJob, change: Change) -> None:
    """Declare its model unless it was cancelled; from then on a cancel comes too late."""
    await job.write(change, values={"plan": {**job.row["plan"], DECLARED: True}}, unless_cancelled=True)


class _Progress:
    """Writes down how much is there, now and then, and looks whether the work may go on."""

    def __init__(self, job: LeasedJob, fetching: Fetching) -> None:
        self._job = job
        self._fetching = fetching
        self._written_at = 0.0
        self.done = 0
        self.total: int | None = job.row["bytes_total"]

    async def of_hub(self, done: int) -> None:
        self.done = done
        await self._write(self._fetching.room.check)

    async def of_server(self, done: int, total: int) -> None:
        """Of a server that keeps it on a disk of its own."""
        self._fetching.check_size(total)
        self.done, self.total = done, total
        await self._write(lambda: None)

    async def _write(self, check: Callable[[], None]) -> None:
        self._job.checkpoint()
        if time.monotonic() - self._written_at < WRITE_SECONDS:
            return
        await asyncio.to_thread(check)
        further = self.done > self._job.row["bytes_done"]
        await self._job.write(values={"bytes_done": self.done, "bytes_total": self.total}, progress=further)
        self._written_at = time.monotonic()
