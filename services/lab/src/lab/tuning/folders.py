"""Where jobs have their files while they are at work on this host."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from lab.tuning import repository
from servicekit.sql.database import Database


@dataclass(frozen=True, slots=True)
class JobFolders:
    """A folder for each job, below `root`."""

    root: Path

    def of(self, job_id: str) -> Path:
        """A job's."""
        return self.root / "jobs" / job_id

    @property
    def bases(self) -> Path:
        """Where the weights are that jobs learn on."""
        return self.root / "bases"

    async def write(self, job_id: str, name: str, pieces: AsyncIterator[bytes]) -> None:
        """A file of a job's."""
        folder = self.of(job_id)
        await asyncio.to_thread(lambda: folder.mkdir(parents=True, exist_ok=True))
        with (folder / name).open("wb") as file:
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)

    async def remove(self, job_id: str) -> None:
        """Delete a job's."""
        await asyncio.to_thread(shutil.rmtree, self.of(job_id), ignore_errors=True)

    async def prune(self, database: Database) -> None:
        """Delete those of jobs that have ended, or that are gone with their tenant."""
        ids = await asyncio.to_thread(self._ids)
        if ids:
            live = await database.read(lambda one: repository.existing(one, ids))
            for job_id in set(ids) - live:
                await self.remove(job_id)

    def _ids(self) -> list[str]:
        folder = self.root / "jobs"
        return [each.name for each in folder.iterdir()] if folder.is_dir() else []
