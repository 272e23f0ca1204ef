"""Opening what the API and each worker share: the database, the blob store, the disk under it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ingest.blobs.claims import BlobClaims
from ingest.blobs.folder import FolderBlobs
from ingest.ports import BlobStore
from ingest.settings import IngestSettings
from servicekit.core.clock import SystemClock
from servicekit.core.disk import DiskRoom
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

MIGRATIONS = Path(__file__).parent / "migrations"


@asynccontextmanager
async def open_database(settings: IngestSettings) -> AsyncIterator[Database]:
    """The database with the newest schema."""
    database = Database.open(settings.database_url, settings.data_dir, "ingest")
    try:
        await migrate(database, MIGRATIONS)
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_blobs(settings: IngestSettings, database: Database) -> AsyncIterator[BlobStore]:
    """Where bytes are kept. On S3 the ledger holds the claims on them; a store that is away opens all the same."""
    if (folder := settings.blobs_folder()) is not None:
        yield FolderBlobs(folder)
        return
    from ingest.blobs.s3 import S3Blobs
    from ingest.blobs.s3_calls import S3Calls

    place = settings.s3_place()
    calls = await asyncio.to_thread(S3Calls, place)
    try:
        yield S3Blobs(calls, place, BlobClaims(database, SystemClock()), settings.data_dir / "blob-copies")
    finally:
        calls.close()


def disk_room(settings: IngestSettings) -> DiskRoom:
    """Of the disk that originals and texts are kept on, or at least what is being read of them."""
    return DiskRoom(settings.blobs_folder() or settings.data_dir, settings.disk_reserve_bytes)


def process_name(role: str) -> str:
    """A name that no other process and no later process with the same number has."""
    return f"{role}@{socket.gethostname()[:40]}:{os.getpid()}:{new_id('p')[-8:]}"
