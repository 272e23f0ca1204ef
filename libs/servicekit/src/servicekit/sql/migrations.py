"""Alembic at start: every service brings its own schema up to date, one process at a time.

The table `alembic_version` also says which version of Groundwork migrated last (`migrated_by`), so that an older one
can say what it needs. Alembic is imported only where there is something to do: it costs 15 MB.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any

import structlog
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from servicekit.core.version import package_version
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
ADVISORY_LOCK = 7_305_112
RECORD = "alembic_version"
MIGRATED_BY = "migrated_by"
BACKUP = "the backup that was made before the upgrade: `groundwork restore BACKUP`"


class UnknownRevision(Exception):
    """The schema is of a revision that this version does not know; the text says what to do about it."""


def needs_newer(service: str, migrated_by: str | None) -> str:
    """Say which version a database needs, without a period."""
    this = package_version("servicekit")
    if migrated_by == this:  # two builds of what is not released yet
        return f"The data of {service} need a later build of Groundwork {this} than this one"
    needed = f"Groundwork {migrated_by} or newer" if migrated_by else "a newer version of Groundwork"
    return f"The data of {service} need {needed}, and this is {this}"


def way_back(migrated_by: str | None, backup: str = BACKUP) -> str:
    """Say what to do where a database needs a newer version, without a period."""
    known = migrated_by and migrated_by != package_version("servicekit")
    return f"install {migrated_by if known else 'the version that wrote them'}, or restore {backup}"


def newest(scripts: Path) -> str:
    """The newest revision in `scripts` (a folder with `versions/`): a file's name begins with its revision."""
    return max(file.name.partition("_")[0] for file in (scripts / "versions").glob("[0-9]*.py"))


async def migrate(database: Database, scripts: Path) -> None:
    """Upgrade to the newest revision in `scripts`, holding a lock meanwhile; raises `UnknownRevision`."""
    revision, migrated_by = await record_of(database)
    if revision == newest(scripts) and migrated_by:
        return
    async with one_process_at_a_time(database), database.write() as connection:
        await connection.run(upgrade, scripts)


@contextmanager
def refused_in_words() -> Iterator[None]:
    """End the process with a log line instead of a traceback where a block raises `UnknownRevision`."""
    try:
        yield
    except UnknownRevision as error:
        log.error(str(error))
        raise SystemExit(1) from None


def upgrade(connection: Connection, scripts: Path, revision: str = "head") -> None:
    """Upgrade to a revision in the connection's transaction and record this version; raises `UnknownRevision`."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(scripts))
    directory = ScriptDirectory.from_config(config)

    def steps(current: Any, _: Any) -> Any:
        return directory._upgrade_revs(revision, current)  # noqa: SLF001  # what alembic's own command does

    with EnvironmentContext(config, directory, fn=steps, destination_rev=revision) as environment:
        environment.configure(connection=connection, transactional_ddl=False)
        try:
            environment.run_migrations()
        except CommandError as error:
            migrated_by = _migrated_by(connection)
            words = f"{needs_newer(scripts.parent.name, migrated_by)}: {way_back(migrated_by)}."
            raise UnknownRevision(words) from error
    _record_version(connection)


def _record_version(connection: Connection) -> None:
    """A column beside Alembic's own, which older versions leave alone: it names what migrated last."""
    if MIGRATED_BY not in _columns(connection):
        connection.execute(text(f"ALTER TABLE {RECORD} ADD COLUMN {MIGRATED_BY} VARCHAR(32)"))
    connection.execute(
        text(f"UPDATE {RECORD} SET {MIGRATED_BY} = :version"),  # noqa: S608  # two constants
        {"version": package_version("servicekit")},
    )


def _migrated_by(connection: Connection) -> str | None:
    if MIGRATED_BY not in _columns(connection):
        return None
    found: str | None = connection.execute(text(f"SELECT {MIGRATED_BY} FROM {RECORD}")).scalar_one_or_none()  # noqa: S608
    return found


def _columns(connection: Connection) -> set[str]:
    return {column["name"] for column in inspect(connection).get_columns(RECORD)}


async def record_of(database: Database) -> tuple[str | None, str | None]:
    """The schema's revision, and the version that migrated it; null where there is none yet."""
    try:
        async with database.read() as connection:
            query = text(f"SELECT version_num, {MIGRATED_BY} FROM {RECORD}")  # noqa: S608  # two constants
            found = (await connection.execute(query)).one_or_none()
    except DBAPIError:
        return None, None
    return (found[0], found[1]) if found else (None, None)


@asynccontextmanager
async def one_process_at_a_time(database: Database) -> AsyncIterator[None]:
    """Hold the lock of this database's schema; others wait."""
    if database.sqlite_file is not None:
        lock = await asyncio.to_thread(_lock_file, database.sqlite_file.with_suffix(".migrating"))
        with lock:
            yield
        return
    async with database.read() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        yield


def _lock_file(path: Path) -> IO[str]:
    lock = path.open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock
