"""The backup that `up` makes of a home before a newer version migrates its databases.

Nothing runs meanwhile, so all of it is of one moment. It is written to a folder that gets its name last.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from groundwork.stack.checks.databases import LEDGERS, Schema, data_folder, schemas
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.backups import ABOUT, FORMAT, AboutBackup, AutomaticBackup, list_backups
from groundwork.stack.home.errors import NoRoomForBackup
from groundwork.stack.home.folder import Home
from servicekit.core.durable import sync
from servicekit.core.version import package_version

KEPT_UPGRADES = 3
"""Of so many upgrades the first backup is kept, and the newest of all."""
RESERVE_BYTES = 100_000_000
"""Left free beside a backup, for the start that follows."""
UNFINISHED = ".unfinished-"
DATABASE_EXTRAS = ("-wal", "-shm", ".migrating")
"""Ends of names of files that lie beside a database and are of no use in a backup."""
SCRATCH = frozenset({"ingest/parsing", "ingest/fetching"})
LINKED = frozenset({"ingest/blobs", "inference/hub"})
"""Folders whose files never change once they have their names, so that a backup needs no second copy of them."""


def pending(home: Home, overrides: Overrides) -> list[Schema]:
    """The embedded databases that a start would migrate."""
    return [schema for schema in schemas(home, overrides) if schema.is_pending]


def back_up(home: Home, overrides: Overrides, spared: AutomaticBackup | None = None) -> AutomaticBackup:
    """Copy what all services keep in their folders; nothing may run. Raises `NoRoomForBackup` or `OSError`.

    Older backups beyond `KEPT_UPGRADES` are deleted but for `spared`, and what was left by a backup that was killed.
    """
    home.backups.mkdir(mode=0o700, exist_ok=True)
    for left in home.backups.glob(f"{UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)
    size = copied_bytes(home, overrides)
    free = shutil.disk_usage(home.backups).free
    if free < size + RESERVE_BYTES:
        raise NoRoomForBackup(home.root, free, size + RESERVE_BYTES)
    unfinished = Path(tempfile.mkdtemp(dir=home.backups, prefix=UNFINISHED))  # 0700
    try:
        for service in _services(home, overrides):
            copy_data(service, data_folder(home, overrides, service), unfinished / "data" / service)
        about = _about(home, overrides, size)
        (unfinished / ABOUT).write_text(json.dumps(about.model_dump(mode="json"), indent=2) + "\n")
        os.sync()  # thousands of files: one call takes less than one a file
        folder = unfinished.rename(home.backups / f"before-{about.before}-{about.made_at:%Y%m%dT%H%M%S%fZ}")
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    sync(home.backups)
    _prune(home, spared)
    return AutomaticBackup(folder, about)


def copied_bytes(home: Home, overrides: Overrides) -> int:
    """What a backup takes on the disk: linked files take nothing where they are on the same one."""
    device = home.root.stat().st_dev
    total = 0
    for service in _services(home, overrides):
        root = data_folder(home, overrides, service)
        for file, is_linked in _files(service, root):
            status = file.lstat()
            if not is_linked or status.st_dev != device:
                total += min(status.st_size, status.st_blocks * 512)  # files with holes are copied with them
    return total


def copy_data(service: str, source: Path, target: Path) -> None:
    """Copy a service's folder: databases page by page as SQLite reads them, files that never change as links."""
    target.mkdir(parents=True, mode=0o700)
    for folder in (place for place in source.rglob("*") if place.is_dir() and not place.is_symlink()):
        if not _is_scratch(service, folder.relative_to(source)):
            (target / folder.relative_to(source)).mkdir(parents=True, exist_ok=True, mode=0o700)
    for file, is_linked in _files(service, source):
        copy = target / file.relative_to(source)
        if file.suffix == ".sqlite":
            _copy_database(file, copy)
        elif not is_linked or not _is_linked_to(file, copy):
            _copy_file(file, copy)


def _files(service: str, root: Path) -> Iterator[tuple[Path, bool]]:
    """The files of a service's folder that belong in a backup, and whether each never changes."""
    for place in root.rglob("*"):
        inside = place.relative_to(root)
        is_wanted = place.is_symlink() or place.is_file()
        if is_wanted and not place.name.endswith(DATABASE_EXTRAS) and not _is_scratch(service, inside):
            yield place, _top(service, inside) in LINKED


def _is_scratch(service: str, inside: Path) -> bool:
    return _top(service, inside) in SCRATCH


def _top(service: str, inside: Path) -> str:
    return f"{service}/{inside.parts[0]}"


def _copy_database(file: Path, copy: Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.chmod(file.stat().st_mode & 0o777)


def _is_linked_to(file: Path, copy: Path) -> bool:
    try:
        os.link(file, copy, follow_symlinks=False)
    except OSError:  # another disk, or one that has no links
        return False
    return True


def _copy_file(file: Path, copy: Path) -> None:
    """Copy a file and its holes: stores of vectors reserve more than they use."""
    if file.is_symlink():
        copy.symlink_to(file.readlink())
        return
    with file.open("rb") as source, copy.open("wb") as target:
        size, at = os.fstat(source.fileno()).st_size, 0
        target.truncate(size)
        while (begin := _next_data(source.fileno(), at, size)) < size:
            at = os.lseek(source.fileno(), begin, os.SEEK_HOLE)
            source.seek(begin)
            target.seek(begin)
            while begin < at and (piece := source.read(min(at - begin, 1 << 20))):
                begin += target.write(piece)
    shutil.copystat(file, copy)


def _next_data(descriptor: int, at: int, size: int) -> int:
    try:
        return os.lseek(descriptor, at, os.SEEK_DATA) if at < size else size
    except OSError:  # only holes are left
        return size


def _services(home: Home, overrides: Overrides) -> list[str]:
    return [service for service in LEDGERS if data_folder(home, overrides, service).is_dir()]


def _about(home: Home, overrides: Overrides, size: int) -> AboutBackup:
    found = list(schemas(home, overrides))
    return AboutBackup(
        format=FORMAT,
        made_at=datetime.now(UTC),
        before=package_version("servicekit"),
        written_by=newest_version(found),
        revisions={schema.service: schema.revision for schema in found},
        bytes=size,
    )


def newest_version(found: list[Schema]) -> str | None:
    """The newest version that migrated one of these databases."""
    return max((schema.migrated_by for schema in found if schema.migrated_by), key=_numbers, default=None)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def _prune(home: Home, spared: AutomaticBackup | None) -> None:
    """The first backup before a version is kept, since later ones may be of a home that was migrated in part."""
    backups = list_backups(home)
    firsts: dict[str, AutomaticBackup] = {}
    for backup in backups:
        firsts.setdefault(backup.about.before, backup)
    kept = [*list(firsts.values())[-KEPT_UPGRADES:], backups[-1]]
    for backup in backups:
        if backup not in kept and (spared is None or backup.folder.name != spared.folder.name):
            gone = backup.folder.rename(home.backups / f"{UNFINISHED}{backup.folder.name}")
            shutil.rmtree(gone, ignore_errors=True)
