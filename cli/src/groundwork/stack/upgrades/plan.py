"""What an upgrade of a home would do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from groundwork.stack.checks.databases import LEDGERS, Schema, check_databases, schemas
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.backups import AutomaticBackup, list_backups
from groundwork.stack.home.folder import Home
from groundwork.stack.upgrades.automatic_backup import copied_bytes, newest_version
from servicekit.core.version import package_version

EARLIER = "0.1.0, or a version before 0.2.0"


@dataclass(frozen=True, slots=True)
class Plan:
    """Versions, databases that a start migrates, and backups that there are."""

    installed: str
    written_by: str
    pending: list[Schema]
    backup_bytes: int
    elsewhere: list[str]
    """What no automatic backup holds, since it is not in the home."""
    backups: list[AutomaticBackup]


def make_plan(home: Home, overrides: Overrides | None = None) -> Plan:
    """Look at a home, which may run; raises `DatabaseUnusable` for one that this version can't open."""
    overrides = overrides or Overrides.read(home)
    check_databases(home, overrides)
    found = list(schemas(home, overrides))
    written_by = newest_version(found) or (EARLIER if found else "nothing yet")
    return Plan(
        installed=package_version("servicekit"),
        written_by=written_by,
        pending=[schema for schema in found if schema.is_pending],
        backup_bytes=copied_bytes(home, overrides) if found else 0,
        elsewhere=list(_elsewhere(overrides)),
        backups=list_backups(home),
    )


def _elsewhere(overrides: Overrides) -> Iterator[str]:
    for service in LEDGERS:
        if overrides.get(f"{service.upper()}_DATABASE_URL"):
            yield f"the database of {service}"
    if overrides.get("INGEST_BLOBS_URL"):
        yield "the documents' bytes (INGEST_BLOBS_URL)"
    if overrides.get("RETRIEVER_QDRANT_URL"):
        yield "the vectors (RETRIEVER_QDRANT_URL)"
