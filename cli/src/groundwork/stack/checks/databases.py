"""The embedded databases of a home, looked at without any service: before `up` starts one, and by `doctor`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from groundwork.stack.checks.findings import Finding
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.backups import AutomaticBackup, list_backups
from groundwork.stack.home.errors import DatabaseUnusable, DataTooNew
from groundwork.stack.home.folder import Home
from servicekit.sql.migrations import BACKUP, MIGRATED_BY, RECORD, needs_newer, way_back

LEDGERS = ("gateway", "ingest", "retriever", "inference", "agent", "lab")
READ_THROUGH_BYTES = 64_000_000
"""A larger database is not read through before a start: it would take longer than a second."""
RESTORE = "Restore a backup into another home."


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database says of itself. `migrated_by` is a version of Groundwork; databases before 0.2.0 name none."""

    service: str
    file: Path
    revision: str
    migrated_by: str | None

    @property
    def is_known(self) -> bool:
        """Whether this version can open it."""
        return self.revision in known_revisions(self.service)

    @property
    def newest(self) -> str:
        """The schema of this version."""
        return max(known_revisions(self.service))

    @property
    def is_pending(self) -> bool:
        """Whether a start of this version would migrate it."""
        return self.is_known and self.revision != self.newest


def schemas(home: Home, overrides: Overrides) -> Iterator[Schema]:
    """The embedded databases that have tables; ones that can't be read are left to `check_databases`."""
    for service in LEDGERS:
        file = database_file(home, overrides, service)
        if file is not None and file.exists():
            try:
                schema = _schema(service, file)
            except sqlite3.Error:
                continue
            if schema is not None:
                yield schema


def check_databases(home: Home, overrides: Overrides) -> None:
    """Raise `DatabaseUnusable` for a database that its service could not begin on; `DataTooNew` is one of them."""
    for schema in schemas(home, overrides):
        if not schema.is_known:
            mend = way_back(schema.migrated_by, backup_for_this_version(home))
            raise DataTooNew(needs_newer(schema.service, schema.migrated_by), mend)
    for service in LEDGERS:
        file = database_file(home, overrides, service)
        if file is not None and file.exists():
            found = examine_file(home, service, file, READ_THROUGH_BYTES)
            if not found.ok:
                raise DatabaseUnusable(service, found.detail, found.mend)


def backup_for_this_version(home: Home) -> str:
    """Name the newest automatic backup that this version can open, with the command that restores it."""
    for backup in reversed(list_backups(home)):
        if fits(backup):
            return f"the backup of {backup.about.made_at:%Y-%m-%d %H:%M} UTC: `groundwork restore {backup.folder}`"
    return BACKUP


def fits(backup: AutomaticBackup) -> bool:
    """Whether this version knows the schemas of a backup."""
    return all(revision in known_revisions(service) for service, revision in backup.about.revisions.items())


def database_file(home: Home, overrides: Overrides, service: str) -> Path | None:
    """The file of an embedded database; null where a URL is set."""
    if overrides.get(f"{service.upper()}_DATABASE_URL"):
        return None
    return data_folder(home, overrides, service) / f"{service}.sqlite"


def data_folder(home: Home, overrides: Overrides, service: str) -> Path:
    """Where a service keeps what it has on disk."""
    return Path(overrides.get(f"{service.upper()}_DATA_DIR") or home.data(service))


def examine_file(home: Home, service: str, file: Path, read_through_bytes: int) -> Finding:
    """Whether a database is whole and not of a later version; one above the size is not read through."""
    check = f"database of {service}"
    try:
        with closing(_opened(file)) as connection:
            small = file.stat().st_size < read_through_bytes
            whole = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if small else "ok"
        schema = _schema(service, file) if whole == "ok" else None
    except sqlite3.Error as error:
        return Finding(check, False, f"{file} can't be read: {error}", RESTORE)
    if whole != "ok":
        return Finding(check, False, f"{file} is damaged ({' '.join(whole.split())})", RESTORE)
    if schema is not None and not schema.is_known:
        mend = way_back(schema.migrated_by, backup_for_this_version(home))
        return Finding(check, False, f"{needs_newer(service, schema.migrated_by)}.", f"{mend[0].upper()}{mend[1:]}.")
    return Finding(check, True, f"SQLite, {file.stat().st_size / 1e6:.1f} MB")


def known_revisions(service: str) -> set[str]:
    """The revisions that this installation knows: their files begin with them."""
    spec = find_spec(service)
    places = spec.submodule_search_locations if spec is not None else None
    versions = [path for place in places or () for path in (Path(place) / "migrations" / "versions").glob("[0-9]*.py")]
    return {path.name.partition("_")[0] for path in versions}


def _schema(service: str, file: Path) -> Schema | None:
    with closing(_opened(file)) as connection:
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({RECORD})")}
        if not columns:
            return None
        migrated_by = MIGRATED_BY if MIGRATED_BY in columns else "NULL"
        found = connection.execute(f"SELECT version_num, {migrated_by} FROM {RECORD}").fetchone()  # noqa: S608
    return Schema(service, file, found[0], found[1]) if found else None


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=5)
