"""`python -m lab.restore FILE`: put the lab's part of a backup into an empty database."""

from __future__ import annotations

import sys

from lab.bootstrap import MIGRATIONS
from lab.settings import LabSettings
from servicekit.backup import restore as restore_command
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import BackupFile
from servicekit.sql.database import Database


async def restore(settings: LabSettings, backup: BackupFile) -> None:
    """All rows, or none."""
    database = Database.open(settings.database_url, settings.data_dir, "lab")
    try:
        await backup_tables.load(database, MIGRATIONS, backup.members("lab/"), change=backup_tables.unleased)
    finally:
        await database.close()


if __name__ == "__main__":
    settings = LabSettings()
    sys.exit(restore_command.run(settings, "lab", lambda backup: restore(settings, backup)))
