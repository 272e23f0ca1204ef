"""Backups of ingest's part, as files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.export.backup import BackupService
from servicekit.backup.file import BackupFile, about

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


def service_of(service: Service) -> BackupService:
    return BackupService(service.database, service.blobs, service.index)


async def written(pieces: AsyncIterator[bytes], service: Service, path: Path) -> BackupFile:
    """The file of a backup that has ingest's and the retriever's parts alone."""
    content = b"".join([piece async for piece in pieces])
    whole = content + about("1", service.clock.now(), ["ingest", "retriever"])
    await asyncio.to_thread(path.write_bytes, whole)
    return BackupFile(path)


async def backed_up(service: Service, path: Path) -> BackupFile:
    async with service_of(service).opened("token") as pieces:
        return await written(pieces, service, path)
