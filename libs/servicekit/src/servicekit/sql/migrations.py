"""Alembic at start: every service brings its own schema up to date, one process at a time.

Alembic is imported only where there is something to do: it costs 15 MB.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from servicekit.sql.database import Database

ADVISORY_LOCK = 7_305_112


class UnknownRevision(Exception):
    """The schema is of a revision that this version does not know."""


def newest(scripts: Path) -> str:
    """The newest revision in `scripts` (a folder with `versions/`): a file's name begins with its revision."""
    return max(file.name.partition("_")[0] for file in (scripts / "versions").glob("[0-9]*.py"))


async def migrate(database: Database, scripts: Path) -> None:
    """Upgrade to the newest revision in `scripts`, holding a lock meanwhile; raises `UnknownRevision`."""
    if await _revision(database) == newest(scripts):
        return
    async with one_process_at_a_time(database), database.write() as connection:
        await connection.run(upgrade, scripts)


def upgrade(connection: Connection, scripts: Path, revision: str = "head") -> None:
    """Upgrade to a revision in the connection's transaction; raises `UnknownRevision`."""
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
            raise UnknownRevision(str(error)) from error


async def _revision(database: Database) -> str | None:
    """The schema's revision; null where there is none yet."""
    try:
        async with database.read() as connection:
            found = await connection.execute(text("SELECT version_num FROM alembic_version"))
            revision: str | None = found.scalar_one_or_none()
    except DBAPIError:
        return None
    return revision


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
