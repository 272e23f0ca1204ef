"""`python -m agent.restore FILE`: put the agent service's part of a backup into an empty database."""

from __future__ import annotations

import sys

from agent.bootstrap import MIGRATIONS
from agent.settings import AgentSettings
from servicekit.backup import restore as restore_command
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import BackupFile
from servicekit.sql.database import Database


async def restore(settings: AgentSettings, backup: BackupFile) -> None:
    """All rows, or none."""
    database = Database.open(settings.database_url, settings.data_dir, "agent")
    try:
        await backup_tables.load(database, MIGRATIONS, backup.members("agent/"), change=backup_tables.unleased)
    finally:
        await database.close()


if __name__ == "__main__":
    settings = AgentSettings()
    sys.exit(restore_command.run(settings, "agent", lambda backup: restore(settings, backup)))
