"""Schemas go forward by themselves: on old data, with several processes at once, and from one database into another."""

from __future__ import annotations

import asyncio
import base64
import importlib
import io
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    text,
)
from tests.support.home.postgres import postgres_installed, temporary_postgres

from ingest.tables import IDEMPOTENCY
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import PartWriter
from servicekit.backup.tables import BackupTooNew, NotEmpty
from servicekit.core.clock import SystemClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate, upgrade

SERVICES = ("gateway", "ingest", "retriever", "inference", "agent", "lab")
ROWS = 3
START = """
import asyncio, sys
from pathlib import Path
from pydantic import SecretStr
from servicekit.sql.migrations import migrate
from servicekit.sql.database import Database

async def main():
    url = sys.argv[1]
    database = Database.open(SecretStr(url) if url else None, Path(sys.argv[2]), "{service}")
    await migrate(database, Path(sys.argv[3]))
    await database.close()

asyncio.run(main())
"""


@dataclass(frozen=True)
class Place:
    """Where a service's database is. What was opened is closed after the test, however it ends."""

    url: str
    folder: Path
    opened: list[Database] = field(default_factory=list)

    def open(self, service: str) -> Database:
        self.opened.append(Database.open(SecretStr(self.url) if self.url else None, self.folder, service))
        return self.opened[-1]


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "postgresql" and not postgres_installed():
        pytest.skip("PostgreSQL is not installed")
    with temporary_postgres() if request.param == "postgresql" else nullcontext("") as url:
        place = Place(url, tmp_path)
        yield place
        for database in place.opened:
            await database.close()


def scripts(service: str) -> Path:
    return Path(importlib.import_module(service).__file__ or "").parent / "migrations"


def revisions(service: str) -> list[str]:
    """All revisions, the oldest first."""
    config = Config()
    config.set_main_option("script_location", str(scripts(service)))
    return [each.revision for each in reversed(list(ScriptDirectory.from_config(config).walk_revisions()))]


def value(column: Any, number: int) -> Any:
    """Something that fits a column, another for each row."""
    if column.name == "status" and isinstance(column.type, String):
        return "ready"  # at most one row may be live
    if column.name == "grant_token" and column.table.name == "jobs":
        return None  # of a job that has ended nobody keeps it
    if isinstance(column.type, Boolean):
        return number % 2 == 0
    if isinstance(column.type, Integer):
        return number
    if isinstance(column.type, Float):
        return 1_700_000_000.123456 + number
    if isinstance(column.type, LargeBinary):
        return bytes(range(number, number + 9))
    if isinstance(column.type, JSON):
        return {"ü": [number, None, 0.1, {"deep": True}]}
    return f"{column.name[:8]}-{number} ü"[: column.type.length or 100]


def fill(connection: Connection) -> None:
    """Rows in every table that no migration fills itself, each referring to the row of its number."""
    metadata = MetaData()
    metadata.reflect(connection)
    filled = {table for table in metadata.sorted_tables if connection.execute(select(table).limit(1)).first()}
    for table in metadata.sorted_tables:
        if table in filled:
            continue
        for number in range(1, ROWS + 1):
            values = {column.name: value(_referred(column), number) for column in table.columns}
            if table.name == "generations":  # one of each state
                values["state"] = ("active", "retired", "dropped")[number - 1]
            connection.execute(insert(table).values(**values))


def _referred(column: Any) -> Any:
    """The column that a foreign key leads to, whose values it must have."""
    for key in column.foreign_keys:
        return _referred(key.column)
    return column


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables as they are."""
    metadata = MetaData()
    metadata.reflect(connection)

    def rows(table: Table) -> list[dict[str, Any]]:
        found = [dict(row) for row in connection.execute(select(table)).mappings()]
        return sorted(found, key=str)

    return {table.name: rows(table) for table in metadata.sorted_tables}


async def old_database(database: Database, service: str, revision: str) -> dict[str, list[dict[str, Any]]]:
    async with database.write() as connection:
        await connection.run(upgrade, scripts(service), revision)
        await connection.run(fill)
        return await connection.run(contents)


async def now_in(database: Database) -> dict[str, list[dict[str, Any]]]:
    async with database.read() as connection:
        return await connection.run(contents)


def same_rows(now: dict[str, list[dict[str, Any]]], before: dict[str, list[dict[str, Any]]]) -> None:
    """Every row is there with every value that it had; columns and tables may have come."""
    for table, rows in before.items():
        if table != "alembic_version":
            columns = rows[0].keys() if rows else ()
            assert [{name: row[name] for name in columns} for row in now[table]] == rows, table


def start_twice(service: str, place: Place) -> None:
    command = [sys.executable, "-c", START.format(service=service), place.url, str(place.folder), str(scripts(service))]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    for start in starts:
        said, _ = start.communicate(timeout=240)
        assert start.returncode == 0, said.decode()


@pytest.mark.parametrize("service", SERVICES)
async def test_two_processes_that_start_at_once_on_an_old_database_lose_nothing(service: str, place: Place) -> None:
    oldest = revisions(service)[0]
    database = place.open(service)
    before = await old_database(database, service, oldest)
    await database.close()
    await asyncio.to_thread(start_twice, service, place)
    database = place.open(service)
    now = await now_in(database)
    same_rows(now, before)
    assert [row["version_num"] for row in now["alembic_version"]] == [revisions(service)[-1]]
    await database.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_old_data_of_every_revision_is_all_there_after_a_start(service: str, tmp_path: Path) -> None:
    for revision in revisions(service):
        database = Database.open(None, tmp_path / revision, service)
        before = await old_database(database, service, revision)
        await migrate(database, scripts(service))
        same_rows(await now_in(database), before)
        await database.close()


def members(tar: bytes) -> Iterator[tuple[str, IO[bytes]]]:
    """The members of a service's part, without its name."""
    with tarfile.open(fileobj=io.BytesIO(tar + bytes(1024))) as found:
        for entry in found:
            content = found.extractfile(entry)
            assert content is not None
            yield entry.name.partition("/")[2], content


async def dumped(database: Database) -> bytes:
    async with database.snapshot() as connection:
        return b"".join([piece async for piece in backup_tables.dump(connection, PartWriter("x"))])


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Database]:
    """A database in SQLite, of the oldest schema."""
    database = Database.open(None, tmp_path / "old", "old")
    yield database
    await database.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_dump_of_an_old_schema_restores_into_either_database(service: str, place: Place, old: Database) -> None:
    before = await old_database(old, service, revisions(service)[0])
    tar = await dumped(old)
    database = place.open(service)
    await backup_tables.load(database, scripts(service), members(tar))
    now = await now_in(database)
    same_rows(now, before)
    assert [row["version_num"] for row in now["alembic_version"]] == [revisions(service)[-1]]
    assert b"".join(sorted(_lines(await dumped(database)))) != b""
    with pytest.raises(NotEmpty):
        await backup_tables.load(database, scripts(service), members(tar))
    same_rows(await now_in(database), before)
    await database.close()


def _lines(tar: bytes) -> list[bytes]:
    return [content.read() for name, content in members(tar) if name.endswith(".jsonl")]


async def test_a_load_that_breaks_off_leaves_nothing(old: Database, tmp_path: Path) -> None:
    await old_database(old, "ingest", "0001")
    tar = await dumped(old)

    def broken() -> Iterator[tuple[str, IO[bytes]]]:
        for name, content in members(tar):
            if name.startswith("sql/revisions"):
                raise OSError("the disk is gone")
            yield name, content

    database = Database.open(None, tmp_path / "new", "ingest")
    with pytest.raises(OSError, match="the disk is gone"):
        await backup_tables.load(database, scripts("ingest"), broken())
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT name FROM sqlite_master"))).all() == []
    await database.close()


async def test_a_backup_of_a_later_version_is_refused(old: Database, tmp_path: Path) -> None:
    newer = PartWriter("x").member(backup_tables.SCHEMA, b'{"revision": "9999"}')
    database = Database.open(None, tmp_path / "new", "ingest")
    with pytest.raises(BackupTooNew, match="9999"):
        await backup_tables.load(database, scripts("ingest"), members(newer))
    await database.close()


async def test_a_snapshot_goes_on_seeing_the_moment_at_which_it_began(place: Place) -> None:
    database = place.open("ingest")
    await migrate(database, scripts("ingest"))
    add = text("INSERT INTO collections (tenant, name) VALUES ('acme', :name)")
    count = text("SELECT count(*) FROM collections")
    async with database.write() as connection:
        await connection.execute(add, {"name": "before"})
    async with database.snapshot() as seen:
        async with database.write() as connection:
            await connection.execute(add, {"name": "after"})
        assert (await seen.execute(count)).scalar_one() == 1
    async with database.snapshot() as seen:
        assert (await seen.execute(count)).scalar_one() == 2
    await database.close()


async def test_nothing_that_was_deleted_is_left_in_the_files_of_sqlite(tmp_path: Path) -> None:
    database = Database.open(None, tmp_path, "ingest")
    await migrate(database, scripts("ingest"))
    secret = base64.b32encode(b"a secret of nobody").decode() * 200  # more than a page
    row = {
        "key_id": "k",
        "route": "r",
        "key": "i",
        "fingerprint": "f",
        "body": secret,
        "created_at": SystemClock().now(),
    }
    async with database.write() as connection:
        await connection.execute(insert(IDEMPOTENCY).values(row))
    assert await asyncio.to_thread(holding, tmp_path, secret[:29]), "it is found where it is"
    async with database.write() as connection:
        await connection.execute(delete(IDEMPOTENCY))
    await database.clean()
    assert await asyncio.to_thread(holding, tmp_path, secret[:29]) == []
    await database.close()


def holding(folder: Path, words: str) -> list[str]:
    """The files that hold these words."""
    return [file.name for file in folder.iterdir() if words.encode() in file.read_bytes()]
