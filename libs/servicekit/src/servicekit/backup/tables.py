"""A database's rows as members of a backup, and back into an empty database of either kind.

Tables are read as they are, not as the code knows them: a backup holds the schema's revision, and restoring makes that
schema, puts the rows in and then brings it up to date, as a start on an old database does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import reduce
from operator import add
from pathlib import Path
from typing import IO, Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    cast,
    func,
    insert,
    inspect,
    select,
    text,
)

from servicekit.backup.file import PartWriter, lines
from servicekit.sql.database import Database
from servicekit.sql.migrations import UnknownRevision, one_process_at_a_time, upgrade
from servicekit.sql.transaction import Transaction

SCHEMA = "sql/schema.json"
FACTS = "facts.json"
VERSIONS = "alembic_version"
MEMBER_BYTES = 1_000_000
"""About so much of what a table's texts, bytes and JSON take is read at once, and kept for a member, or one row."""
ROWS_AT_ONCE = 500
Row = dict[str, Any]
Change = Callable[[str, Row], Row | None]
"""A table's name and a row of it to the row that is restored, or null for none."""


class NotEmpty(Exception):
    """There is something in the database already; a restore overwrites nothing."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not empty. Restoring overwrites nothing: give it a place where there is nothing yet."
        )


class BackupTooNew(Exception):
    """The backup is of a later version than this one."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"This backup has schema {revision}, which this version doesn't know. Install a later version."
        )


def unleased(_: str, row: Row) -> Row:
    """The row without its lease, whose owner is not here: what was at work goes on at once."""
    return row | {"lease_owner": None, "lease_expires_at": None} if "lease_owner" in row else row


@asynccontextmanager
async def open_part(
    database: Database, service: str, facts: Mapping[str, Any] | None = None
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The part of a service that has nothing but its database, as of the moment at which the block began.

    `facts` are kept with it, in `facts.json`.
    """

    async def pieces(connection: Transaction) -> AsyncIterator[bytes]:
        part = PartWriter(service)
        yield part.member(FACTS, json.dumps(facts or {}).encode())
        async for piece in dump(connection, part):
            yield piece
        yield part.end()

    async with database.snapshot() as connection:
        yield pieces(connection)


async def dump(connection: Transaction, part: PartWriter, without: Iterable[str] = ()) -> AsyncIterator[bytes]:
    """All rows of all tables that a connection sees, but for the tables in `without`."""
    tables = await connection.run(_reflected)
    revision = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
    yield part.member(SCHEMA, json.dumps({"revision": revision}).encode())
    left_out = {VERSIONS, *without}
    for table in tables:
        if table.name in left_out:
            continue
        number, size, rows = 0, 0, list[Row]()
        async for found in _batches(connection, table):
            for row in found:
                rows.append(_plain(dict(row)))
                size += len(str(rows[-1]))
                if size > MEMBER_BYTES:
                    yield part.member(f"sql/{table.name}/{number:06}.jsonl", lines(rows))
                    number, size, rows = number + 1, 0, []
        if rows:
            yield part.member(f"sql/{table.name}/{number:06}.jsonl", lines(rows))


async def require_empty(database: Database) -> None:
    """Raise `NotEmpty` if a database has tables."""
    async with database.read() as connection:
        await _require_empty(connection)


async def load(
    database: Database,
    scripts: Path,
    members: Iterable[tuple[str, IO[bytes]]],
    *,
    change: Change = lambda _, row: row,
    then: Callable[[Transaction], Awaitable[None]] | None = None,
) -> None:
    """Put dumped rows back, in one transaction, into a database that has no tables yet; raises `NotEmpty`.

    `members` are the service's; `then` is done in the same transaction, on the newest schema, before it is committed.
    """
    async with one_process_at_a_time(database), database.write() as connection:
        await _require_empty(connection)
        tables: dict[str, Table] = {}
        for name, content in members:
            if name == SCHEMA:
                tables = await _made(connection, scripts, json.load(content)["revision"])
            elif name.startswith("sql/"):
                await _insert(connection, tables[name.split("/")[1]], content, change)
        await connection.run(upgrade, scripts)
        if then is not None:
            await then(connection)


async def _require_empty(connection: Transaction) -> None:
    if await connection.run(lambda plain: inspect(plain).get_table_names()):
        raise NotEmpty("The database")


async def _made(connection: Transaction, scripts: Path, revision: str) -> dict[str, Table]:
    try:
        await connection.run(upgrade, scripts, revision)
    except UnknownRevision:
        raise BackupTooNew(revision) from None
    return {table.name: table for table in await connection.run(_reflected)}


async def _insert(connection: Transaction, table: Table, content: IO[bytes], change: Change) -> None:
    batch: list[Row] = []
    for line in content:
        row = change(table.name, json.loads(line))
        if row is not None:
            batch.append(_typed(table, row))
        if len(batch) >= ROWS_AT_ONCE:
            await connection.execute(insert(table), batch)
            batch = []
    if batch:
        await connection.execute(insert(table), batch)


def _reflected(connection: Connection) -> list[Table]:
    """The tables as they are, those first that others refer to."""
    metadata = MetaData()
    metadata.reflect(connection)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type.none_as_null = True
    return metadata.sorted_tables


async def _batches(connection: Transaction, table: Table) -> AsyncIterator[Sequence[RowMapping]]:
    """A table's rows, the small ones first: no batch is larger than a member but for a row that is so alone.

    The database measures them, and is asked for each class of sizes by itself, with as many at once as then fit.
    """
    size = _size(connection, table)
    if size is None:
        async for batch in connection.batches(select(table), ROWS_AT_ONCE):
            yield batch
        return
    above = -1
    for at_once in sorted({max(1, ROWS_AT_ONCE // part) for part in (1, 10, 100, ROWS_AT_ONCE)}, reverse=True):
        query, fitting = select(table).where(size > above), MEMBER_BYTES // at_once
        query, above = (query.where(size <= fitting), fitting) if at_once > 1 else (query, above)
        async for batch in connection.batches(query, at_once):
            yield batch


def _size(connection: Transaction, table: Table) -> ColumnElement[int] | None:
    """What a row's texts, bytes and JSON take, as the database counts it; none where a table has no such columns."""
    length = func.octet_length if connection.dialect.name == "postgresql" else func.length
    sizes: list[ColumnElement[int]] = [
        func.coalesce(length(column if isinstance(column.type, LargeBinary) else cast(column, Text)), 0)
        for column in table.columns
        if isinstance(column.type, JSON | String | LargeBinary)
    ]
    return reduce(add, sizes) if sizes else None


def _binary(table: Table) -> list[str]:
    return [column.name for column in table.columns if isinstance(column.type, LargeBinary)]


def _plain(row: Mapping[str, Any]) -> Row:
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value for name, value in row.items()
    }


def _typed(table: Table, row: Row) -> Row:
    return row | {name: base64.b64decode(row[name]) for name in _binary(table) if row.get(name) is not None}
