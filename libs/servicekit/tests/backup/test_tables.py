"""Rows out of a database and into an empty one: all of them, as they were, or none."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any

import pytest
from sqlalchemy import text

from servicekit.backup import tables
from servicekit.backup.file import END_OF_TAR, PartWriter
from servicekit.backup.tables import BackupTooNew, NotEmpty, Row, dump, load, open_part, require_empty, unleased
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate
from servicekit.sql.transaction import Transaction

FIRST = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    op.create_table("owners", sa.Column("id", sa.String(9), primary_key=True))
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner", sa.String(9), sa.ForeignKey("owners.id")),
        sa.Column("facts", sa.JSON),
        sa.Column("bytes", sa.LargeBinary),
        sa.Column("at", sa.Double),
        sa.Column("lease_owner", sa.String(9)),
        sa.Column("lease_expires_at", sa.Double),
    )
"""
SECOND = """
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE notes ADD COLUMN colour TEXT DEFAULT 'blue'")
"""
OWNERS = "INSERT INTO owners (id) VALUES ('zoë'), ('acme')"
NOTES = """INSERT INTO notes (id, owner, facts, bytes, at, lease_owner, lease_expires_at) VALUES
(1, 'zoë', '{"a": [null, "\\u00fc"]}', x'00ff', 0.1, 'worker', 7.5), (2, 'acme', NULL, NULL, NULL, NULL, NULL)"""
MANY = """INSERT INTO notes (id)
WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT i FROM n"""
Members = list[tuple[str, IO[bytes]]]


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "0001_first.py").write_text(FIRST)
    return tmp_path


@pytest.fixture
async def old(tmp_path: Path, scripts: Path) -> AsyncIterator[Database]:
    database = Database.open(None, tmp_path, "old")
    await migrate(database, scripts)
    for statement in (OWNERS, NOTES):
        await _write(database, statement)
    yield database
    await database.close()


@pytest.fixture
async def new(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database.open(None, tmp_path, "new")
    yield database
    await database.close()


async def _write(database: Database, statement: str) -> None:
    await database.write(lambda connection: connection.execute(text(statement)))


async def _rows(database: Database, table: str) -> list[dict[str, Any]]:
    query = text(f"SELECT * FROM {table} ORDER BY id")
    return [dict(row) for row in await database.read(lambda connection: connection.execute(query).mappings().all())]


async def _part(database: Database, **facts: Any) -> Members:
    """A service's part as it is read from a backup."""
    async with open_part(database, "words", facts) as pieces:
        content = b"".join([piece async for piece in pieces])
    with tarfile.open(fileobj=io.BytesIO(content + END_OF_TAR)) as tar:
        return [
            (entry.name.removeprefix("words/"), io.BytesIO(member.read()))
            for entry in tar
            if (member := tar.extractfile(entry)) is not None
        ]


async def test_rows_come_back_as_they_were_on_the_newest_schema(old: Database, new: Database, scripts: Path) -> None:
    members = await _part(old, tenants=2)
    assert json.loads(members[0][1].read()) == {"tenants": 2}
    (scripts / "versions" / "0002_second.py").write_text(SECOND)
    await load(new, scripts, members)
    assert await _rows(new, "owners") == await _rows(old, "owners")
    assert await _rows(new, "notes") == [row | {"colour": "blue"} for row in await _rows(old, "notes")]
    query = text("SELECT count(*) FROM notes WHERE facts IS NULL")
    assert await new.read(lambda connection: connection.execute(query).scalar_one()) == 1, "no JSON null of it"


async def test_large_tables_are_several_members_and_many_rows_go_in_some_at_a_time(
    old: Database, new: Database, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _write(old, MANY)
    monkeypatch.setattr(tables, "MEMBER_BYTES", 500)
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 3)
    members = await _part(old)
    names = [name for name, _ in members if name.startswith("sql/notes/")]
    assert len(names) > 5
    assert names == sorted(names)
    await load(new, scripts, members)
    assert await _rows(new, "notes") == await _rows(old, "notes")


SIZES = (
    [(10, 40), (2_000_000, 3)],
    [(10, 1200), (1_000_000, 3), (10, 40), (15_000, 120)],
    [(200_000, 9), (1_900, 501)],
)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("kind", ["TEXT", "BLOB", "JSON"])
async def test_no_batch_is_larger_than_a_member_whatever_the_order_of_sizes(
    old: Database, monkeypatch: pytest.MonkeyPatch, sizes: list[tuple[int, int]], kind: str
) -> None:
    await _write(old, f"CREATE TABLE large (id INTEGER PRIMARY KEY, content {kind})")
    value = {"TEXT": "hex(zeroblob({}))", "BLOB": "zeroblob(2 * {})", "JSON": "'\"' || hex(zeroblob({})) || '\"'"}[kind]
    for length, count in sizes:
        await _write(
            old,
            f"""INSERT INTO large (content) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
            WHERE i < {count}) SELECT {value.format(length // 2)} FROM n""",
        )
    await _write(old, "INSERT INTO large (content) VALUES (NULL)")
    seen: list[list[int]] = []
    plain = Transaction.batches

    async def counted(self: Transaction, query: Any, size: int) -> AsyncIterator[Any]:
        async for rows in plain(self, query, size):
            if "content" in rows[0]:
                seen.append([len(row["content"] or "") for row in rows])
            yield rows

    monkeypatch.setattr(Transaction, "batches", counted)
    await _part(old)
    assert sum(map(len, seen)) == sum(count for _, count in sizes) + 1
    assert all(sum(batch) <= tables.MEMBER_BYTES or len(batch) == 1 for batch in seen)
    assert max(map(len, seen)) == min(tables.ROWS_AT_ONCE, 1 + sum(n for length, n in sizes if length <= 2000))


async def test_what_is_left_out_is_left_out(old: Database, scripts: Path) -> None:
    async with old.snapshot() as connection:
        content = b"".join([piece async for piece in dump(connection, PartWriter("words"), ["notes"])])
    assert b"sql/owners/000000.jsonl" in content
    assert b"sql/notes" not in content


async def test_a_part_is_of_the_moment_at_which_it_was_opened(old: Database, new: Database, scripts: Path) -> None:
    async with open_part(old, "words") as pieces:
        await _write(old, "INSERT INTO owners (id) VALUES ('late')")
        content = b"".join([piece async for piece in pieces])
    assert b"acme" in content
    assert b"late" not in content


async def test_rows_may_be_changed_or_dropped_on_their_way_in(old: Database, new: Database, scripts: Path) -> None:
    def change(table: str, row: Row) -> Row | None:
        return None if row.get("owner") == "acme" else unleased(table, row)

    await load(new, scripts, await _part(old), change=change)
    (note,) = await _rows(new, "notes")
    assert (note["id"], note["lease_owner"], note["lease_expires_at"]) == (1, None, None)
    assert len(await _rows(new, "owners")) == 2


async def test_a_restore_overwrites_nothing(old: Database, scripts: Path) -> None:
    members = await _part(old)
    before = await _rows(old, "notes")
    for overwriting in (load(old, scripts, members), require_empty(old)):
        with pytest.raises(NotEmpty, match="is not empty"):
            await overwriting
    assert await _rows(old, "notes") == before


async def test_a_restore_that_fails_at_the_end_leaves_an_empty_place(
    old: Database, new: Database, scripts: Path
) -> None:
    async def fail(_: Transaction) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await load(new, scripts, await _part(old), then=fail)
    await require_empty(new)
    await load(new, scripts, await _part(old))


async def test_a_backup_of_a_later_version_is_refused_by_its_schema(
    old: Database, new: Database, scripts: Path
) -> None:
    await _write(old, "UPDATE alembic_version SET version_num = '0009'")
    with pytest.raises(BackupTooNew, match="0009"):
        await load(new, scripts, await _part(old))
    await require_empty(new)
