"""Putting an automatic backup back into its home, so that an older version can open it again."""

from __future__ import annotations

import shutil
from pathlib import Path

from groundwork.stack.checks.databases import LEDGERS, data_folder
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.backups import AutomaticBackup, read_backup
from groundwork.stack.home.errors import BackupUnusable
from groundwork.stack.home.folder import Home
from groundwork.stack.upgrades.automatic_backup import back_up, copy_data


def put_back(home: Home, overrides: Overrides, folder: Path) -> tuple[AutomaticBackup, AutomaticBackup | None]:
    """Replace a home's data by those of a backup; nothing may run. What was there is backed up first.

    Returns both backups; the second is null where an earlier call, which was killed, has made it. Until the call has
    ended the home can't be started. Raises `BackupUnusable`, `NoRoomForBackup` or `OSError`.
    """
    backup = read_backup(folder)
    if backup is None:
        raise BackupUnusable(folder, "it is a folder, and none that an upgrade made")
    replaced = None if home.restoring_file.exists() else back_up(home, overrides, spared=backup)
    home.restoring_file.write_text(f"{folder.resolve()}\n")
    for service in LEDGERS:
        place = data_folder(home, overrides, service)
        if place.is_dir():
            shutil.rmtree(place)
        if backup.data(service).is_dir():
            copy_data(service, backup.data(service), place)
    home.restoring_file.unlink()
    return backup, replaced


def unfinished(home: Home) -> Path | None:
    """The automatic backup whose restore into a home did not end."""
    if not home.restoring_file.exists():
        return None
    folder = Path(home.restoring_file.read_text().strip())
    return folder if folder.is_dir() else None
