"""Ingest's part of a backup of everything, and the moment that all of it is of.

What ingest and the retriever hold must fit each other. So the ledger's jobs are locked for the few milliseconds in
which both views begin: no step of a job is recorded meanwhile. The retriever may be ahead by steps that were done but
not recorded, as it is when a worker is killed, and the jobs go on from there. Then everything is read while the
platform works on; bytes that go meanwhile stay until that is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select, text, union
from sqlalchemy.exc import DBAPIError

from ingest.errors import BackupCantBegin
from ingest.ports import BlobStore, Index
from ingest.tables import BACKUP_LOCK, BLOB_CLAIMS, BLOB_TURNS, PARTS, REVISIONS
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import PartWriter
from servicekit.backup.lock import BackupLock
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction

TRIES = 20
KEYS_AT_ONCE = 500
BEGIN_SECONDS = 3.0
"""Longest that jobs are held still for the retriever to begin: it takes milliseconds."""
LOCK = ("SET LOCAL lock_timeout = '500ms'", "LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE")
"""Below PostgreSQL's deadlock timeout, so that we give way and no job does."""
WITHOUT = (BACKUP_LOCK.name, BLOB_CLAIMS.name, BLOB_TURNS.name, "workers")


@dataclass(frozen=True, slots=True)
class BackupService:
    """Reads the ledger and the bytes that it names, and the retriever's part of the same moment."""

    database: Database
    blobs: BlobStore
    index: Index

    @asynccontextmanager
    async def opened(self, token: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Ingest's members, then the retriever's, as of the moment at which the block began."""
        async with BackupLock(BACKUP_LOCK, self.database).hold(), AsyncExitStack() as stack:
            connection, theirs = await self._both(stack, token)
            yield self._pieces(connection, theirs)

    async def _both(self, stack: AsyncExitStack, token: str) -> tuple[Transaction, AsyncIterator[bytes]]:
        """Both views; raises `BackupCantBegin` if jobs can't be held still for a moment."""
        for _ in range(TRIES):
            async with AsyncExitStack() as attempt:
                try:
                    async with self._nothing_recorded(), asyncio.timeout(BEGIN_SECONDS):
                        theirs = await attempt.enter_async_context(self.index.backup(token))
                        connection = await attempt.enter_async_context(self.database.snapshot())
                except TimeoutError:
                    break
                except DBAPIError:  # a job holds the table, or waits for what another holds
                    await asyncio.sleep(0.05)
                    continue
                stack.push_async_exit(attempt.pop_all())
                return connection, theirs
        raise BackupCantBegin

    @asynccontextmanager
    async def _nothing_recorded(self) -> AsyncIterator[None]:
        """While the block lasts no step of a job is written down. On SQLite nothing is written at all."""
        async with self.database.write() as connection:
            if not self.database.is_sqlite:
                for statement in LOCK:
                    await connection.execute(text(statement))
            yield

    async def _pieces(self, connection: Transaction, theirs: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        part = PartWriter("ingest")
        async for piece in backup_tables.dump(connection, part, WITHOUT):
            yield piece
        keys = union(select(REVISIONS.c.blob_key), select(PARTS.c.text_key), select(PARTS.c.structure_key))
        async for found in connection.batches(keys, KEYS_AT_ONCE):
            for row in found:
                async with self.blobs.local(key := row["blob_key"]) as path:
                    async for piece in part.file(f"blobs/{key}", path):
                        yield piece
        yield part.end()
        async for piece in theirs:
            yield piece
