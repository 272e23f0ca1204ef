"""The backups that a home has of itself, from before each upgrade: `backups/before-VERSION-TIME`, a folder each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from groundwork.stack.home.folder import Home

FORMAT = "groundwork-home-1"
ABOUT = "backup.json"


class AboutBackup(BaseModel):
    """`backup.json` of an automatic backup."""

    format: str
    made_at: datetime
    before: str
    """The version that the home was upgraded to."""
    written_by: str | None
    """The version that had migrated the data; databases before 0.2.0 name none."""
    revisions: dict[str, str]
    """The schema of each service's database."""
    bytes: int


@dataclass(frozen=True, slots=True)
class AutomaticBackup:
    """One backup, which is whole: its folder got its name last."""

    folder: Path
    about: AboutBackup

    def data(self, service: str) -> Path:
        """What one service kept."""
        return self.folder / "data" / service


def list_backups(home: Home) -> list[AutomaticBackup]:
    """All automatic backups of a home, the oldest first."""
    folders = home.backups.glob(f"before-*/{ABOUT}")
    found = [backup for file in folders if (backup := read_backup(file.parent)) is not None]
    return sorted(found, key=lambda backup: backup.about.made_at)


def read_backup(folder: Path) -> AutomaticBackup | None:
    """The automatic backup in a folder, if it is one."""
    try:
        about = AboutBackup.model_validate_json((folder / ABOUT).read_bytes())
    except (OSError, ValidationError):
        return None
    return AutomaticBackup(folder, about) if about.format == FORMAT else None
