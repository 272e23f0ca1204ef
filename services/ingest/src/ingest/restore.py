"""`python -m ingest.restore FILE`: put ingest's part of a backup into an empty database and blob store."""

from __future__ import annotations

import sys
from typing import BinaryIO, cast

from ingest.settings import IngestSettings
from ingest.stores import MIGRATIONS, open_blobs
from servicekit.backup import restore as restore_command
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import BackupFile
from servicekit.sql.database import Database

PREFIX = "ingest/"
BLOBS = "blobs/"


async def restore(settings: IngestSettings, backup: BackupFile) -> None:
    """Bytes first, then the rows that name them; one that was cut off can be run again."""
    database = Database.open(settings.database_url, settings.data_dir, "ingest")
    try:
        await backup_tables.require_empty(database)
        async with open_blobs(settings, database) as blobs:
            for key, content in backup.members(f"{PREFIX}{BLOBS}"):
                await blobs.put(key, cast("BinaryIO", content))
        await backup_tables.load(database, MIGRATIONS, backup.members(PREFIX), change=backup_tables.unleased)
    finally:
        await database.close()


if __name__ == "__main__":
    settings = IngestSettings()
    sys.exit(restore_command.run(settings, "ingest", lambda backup: restore(settings, backup)))
