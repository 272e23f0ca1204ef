"""The embedded databases of a home, looked at without any service: before `up` starts one, and by `doctor`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from groundwork.stack.checks.findings import Finding
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.errors import DatabaseUnusable
from groundwork.stack.home.folder import Home

LEDGERS = ("gateway", "ingest", "retriever", "inference", "agent", "lab")
READ_THROUGH_BYTES = 64_000_000
"""A larger database is not read through before a start: it would take longer than a second."""
RESTORE = "Restore a backup into another home."


def check_databases(home: Home, overrides: Overrides) -> None:
    """Raise `DatabaseUnusable` for a database that its service could not begin on."""
    for service in LEDGERS:
        file = database_file(home, overrides, service)
        if file is not None and file.exists():
            found = examine_file(service, file, READ_THROUGH_BYTES)
            if not found.ok:
                raise DatabaseUnusable(service, found.detail, found.mend)


def database_file(home: Home, overrides: Overrides, service: str) -> Path | None:
    """The file of an embedded database; null where a URL is set."""
    if overrides.get(f"{service.upper()}_DATABASE_URL"):
        return None
    return data_folder(home, overrides, service) / f"{service}.sqlite"


def data_folder(home: Home, overrides: Overrides, service: str) -> Path:
    """Where a service keeps what it has on disk."""
    return Path(overrides.get(f"{service.upper()}_DATA_DIR") or home.data(service))


def examine_file(service: str, file: Path, read_through_bytes: int) -> Finding:
    """Whether a database is whole and not of a later version; one above the size is not read through."""
    check = f"database of {service}"
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
            small = file.stat().st_size < read_through_bytes
            whole = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if small else "ok"
            known = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    except sqlite3.Error as error:
        return Finding(check, False, f"{file} can't be read: {error}", RESTORE)
    if whole != "ok":
        return Finding(check, False, f"{file} is damaged ({' '.join(whole.split())})", RESTORE)
    if found and found[0] not in _revisions(service):
        mend = "Install the version that wrote it, or a later one; there is no way back but a backup."
        return Finding(check, False, f"of a later version (schema {found[0]})", mend)
    return Finding(check, True, f"SQLite, {file.stat().st_size / 1e6:.1f} MB")


def _revisions(service: str) -> set[str]:
    """The revisions that this installation knows: their files begin with them."""
    spec = find_spec(service)
    places = spec.submodule_search_locations if spec is not None else None
    versions = [path for place in places or () for path in (Path(place) / "migrations" / "versions").glob("[0-9]*.py")]
    return {path.name.partition("_")[0] for path in versions}
