"""Which blobs the ledger still needs."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from sqlalchemy import select, union_all

from ingest.errors import BlobStoreAway
from ingest.ports import BlobStore
from ingest.tables import BACKUP_LOCK, PARTS, REVISIONS
from servicekit.backup.lock import BackupLock
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
NAMES = (REVISIONS.c.blob_key, PARTS.c.text_key, PARTS.c.structure_key)
"""The columns that name blobs, each with an index of its own."""
AT_ONCE = 500


async def cleanup_unreferenced(database: Database, blobs: BlobStore, seconds: float) -> int:
    """Remove blobs that were put so long ago and that no row names: whoever put them died before it could say so.

    Returns how many there were. Safe beside uploads, which keep what they are about to name.
    """
    if await BackupLock(BACKUP_LOCK, database).is_held():
        return 0
    count = 0
    async for keys in blobs.old_keys(seconds):
        orphans = set(keys)
        tenants = {key.partition("/")[0] for key in keys}
        async with database.read() as connection:
            for name in NAMES:
                for first in range(0, len(keys), AT_ONCE):
                    some = keys[first : first + AT_ONCE]
                    naming = select(name).where(name.table.c.tenant.in_(tenants), name.in_(some))
                    orphans -= set((await connection.execute(naming)).scalars())
        for key in orphans:
            await delete_unreferenced(database, blobs, key.partition("/")[0], [key])
        count += len(orphans)
    return count


async def delete_unreferenced(database: Database, blobs: BlobStore, tenant: str, keys: Iterable[str]) -> None:
    """Remove blobs that no revision of the tenant names any more.

    While a backup is read, or while the store is away, that is left to the next cleanup.
    """
    names = list(keys)
    if not names or await BackupLock(BACKUP_LOCK, database).is_held():
        return
    for key in names:

        async def wanted(key: str = key) -> bool:
            naming = (select(name).where(name.table.c.tenant == tenant, name == key) for name in NAMES)
            return await database.read(
                lambda connection: connection.execute(union_all(*naming).limit(1)).first() is not None
            )

        try:
            await blobs.remove_unless(key, wanted)
        except BlobStoreAway as error:
            log.warning("bytes that nobody names stay until the next cleanup", error=error.message)
            return
