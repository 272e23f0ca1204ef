"""`python -m inference.restore FILE`: put inference's part of a backup into an empty database."""

from __future__ import annotations

import sys

from inference.bootstrap import MIGRATIONS
from inference.settings import InferenceSettings
from servicekit.backup import restore as restore_command
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import BackupFile
from servicekit.sql.database import Database


async def restore(settings: InferenceSettings, backup: BackupFile) -> None:
    """All rows, or none."""
    database = Database.open(settings.database_url, settings.data_dir, "inference")
    try:
        await backup_tables.load(database, MIGRATIONS, backup.members("inference/"))
    finally:
        await database.close()


if __name__ == "__main__":
    settings = InferenceSettings()
    sys.exit(restore_command.run(settings, "inference", lambda backup: restore(settings, backup)))
