"""Archives from callers, taken apart in child processes: one at a time, whoever sends them.

The process that answers all callers never decodes what one of them sent.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from extraction.model.failures import ParseFailed, too_large
from extraction.sandbox.pool import ForkServerLost
from extraction.sandbox.sandbox import Bounds, MemoryBudget, Sandbox, Task
from ingest.export import task as archive_task
from ingest.export.archive import MANIFEST, MAX_HEADER, ORIGINAL, Manifest
from ingest.export.errors import ArchiveDamaged, ArchiveTooLarge, RestoreBrokenOff, RestoresBusy
from ingest.tenant_slots import TenantSlots

PLACES, SHARE = 16, 8
"""Archives that may be received or wait at once, in all and of one tenant."""
MORE_SECONDS = 3.0
"""An archive waits a little longer than another may take, so that it gets its turn after that one."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What one archive may cost."""

    archive_bytes: int
    text_chars: int
    memory_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class UnpackedArchive:
    """An archive as files, checked: `manifest` fits the others."""

    manifest: Manifest
    folder: Path
    digests: list[tuple[str, str]]
    """SHA-256 of text and structure of each part; none where the document is to be read anew."""

    @property
    def original(self) -> Path:
        """The document's bytes."""
        return self.folder / ORIGINAL

    def part(self, number: int) -> tuple[Path, Path]:
        """A part's text and structure, as the ledger keeps them."""
        return self.folder / f"{number}.text", self.folder / f"{number}.json"


class ArchiveReader:
    """Takes archives apart."""

    def __init__(self, limits: ArchiveLimits, scratch: Path) -> None:
        """`scratch` is where archives and what is in them lie meanwhile."""
        scratch.mkdir(parents=True, exist_ok=True)
        self._limits = limits
        self._scratch = scratch
        self.memory = MemoryBudget(limits.memory_bytes)
        """For one at a time."""
        self._sandbox = Sandbox(self.memory, [archive_task.__name__], scratch)
        self._places = TenantSlots(PLACES, SHARE, RestoresBusy)
        self._turns = TenantSlots(PLACES, 1, RestoresBusy)

    def close(self) -> None:
        """End the fork server."""
        self._sandbox.close()

    @asynccontextmanager
    async def received(self, tenant: str, body: AsyncIterator[bytes]) -> AsyncIterator[IO[bytes]]:
        """A body as a file while the block lasts; raises `RestoresBusy` before anything is read."""
        async with self._places.taken(tenant, wait=False):
            with tempfile.TemporaryFile(dir=self._scratch) as file:
                async for piece in body:
                    await asyncio.to_thread(file.write, piece)
                await asyncio.to_thread(file.flush)
                yield file

    @asynccontextmanager
    async def archive(
        self, tenant: str, file: IO[bytes], model: str, most_header: int = MAX_HEADER
    ) -> AsyncIterator[UnpackedArchive]:
        """What is in an archive, while the block lasts; its parts only if they are cut for `model`, which reads at most
        `most_header` characters of a header.

        Tenants take turns. Raises `ArchiveDamaged`, `ArchiveTooLarge`, or `RestoresBusy` if its turn does not come.
        """
        options = {
            "model": model,
            "max_archive_bytes": self._limits.archive_bytes,
            "max_text_chars": self._limits.text_chars,
            "max_header_chars": min(most_header, MAX_HEADER),
        }
        bounds = Bounds(self._limits.seconds, self._limits.memory_bytes, self._limits.archive_bytes)
        async with AsyncExitStack() as stack:
            async with AsyncExitStack() as turn:
                try:
                    async with asyncio.timeout(self._limits.seconds + MORE_SECONDS):
                        await turn.enter_async_context(self._turns.taken(tenant, wait=True))
                        opening = self._sandbox.task(archive_task.__name__, file, options, bounds)
                        task = await stack.enter_async_context(opening)
                except TimeoutError:
                    raise RestoresBusy from None
                digests = await _digests(task)
            manifest = await asyncio.to_thread((task.folder / MANIFEST).read_bytes)
            yield UnpackedArchive(Manifest.model_validate_json(manifest), task.folder, digests)


async def _digests(task: Task) -> list[tuple[str, str]]:
    """What the child says of the parts, once it has ended well."""
    try:
        lines = [line.split() async for line in task.lines()]
    except ParseFailed as failure:
        if failure.code == "malformed":
            raise ArchiveDamaged(failure.message) from None
        if failure.code == "timeout":
            raise ArchiveTooLarge(f"takes longer than {task.seconds:g} s to unpack (INGEST_RESTORE_SECONDS)") from None
        if failure.message == too_large().message:
            raise ArchiveTooLarge("takes more memory than is allowed (INGEST_RESTORE_MEMORY_BYTES)") from None
        raise ArchiveTooLarge(failure.message) from None
    except ForkServerLost:
        raise RestoreBrokenOff from None
    return [(text, structure) for text, structure in lines]
