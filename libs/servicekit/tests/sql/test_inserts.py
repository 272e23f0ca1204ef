from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Column, Insert, MetaData, String, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

from servicekit.sql.database import Database, UnstorableText, UtcTime, all_of, rows_of
from servicekit.sql.inserts import PreparedInsert

metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("at", UtcTime),
    Column("user", String(20)),
    Column("done", Boolean),
    Column("more", JSON),
)
NOW = datetime(2026, 11, 30, 1, 2, 3, 500_000, tzinfo=UTC)


def _row(name: str, **changed: Any) -> dict[str, Any]:
    return {"id": name, "at": NOW, "user": "“ü”", "done": True, "more": {"a": [1]}, **changed}


@pytest.fixture
async def database(tmp_path: Path) -> Any:
    opened = Database.open(None, tmp_path, "things")
    await opened.write(metadata.create_all)
    yield opened
    await opened.close()


async def _all(database: Database) -> list[dict[str, Any]]:
    return [dict(row) for row in await database.read(rows_of(things.select().order_by(things.c.id)))]


async def test_rows_are_kept_as_sqlalchemy_keeps_them(database: Database) -> None:
    rows = [_row("a"), _row("b", at=None, user=None, done=None, more=None), _row("c", done=False)]
    await database.write(all_of([(insert(things), rows)]))
    assert await _all(database) == rows
    await database.write(all_of([(insert(things), [{"id": "d"}]), (things.delete().where(things.c.id != "d"), [{}])]))
    assert await _all(database) == [{"id": "d", "at": None, "user": None, "done": None, "more": None}]


async def test_a_row_that_is_there_is_replaced_where_the_statement_says_so(database: Database) -> None:
    new = sqlite.insert(things)
    kept = new.on_conflict_do_update(index_elements=["id"], set_={"at": new.excluded.at}, where=things.c.user == "jo")
    await database.write(all_of([(kept, [_row("a", user="jo"), _row("b")])]))
    later = NOW + timedelta(days=1)
    await database.write(all_of([(kept, [_row("a", at=later), _row("b", at=later)])]))
    assert [(row["id"], row["at"]) for row in await _all(database)] == [("a", later), ("b", NOW)]


async def test_a_text_that_no_database_takes_is_told_as_such(database: Database) -> None:
    with pytest.raises(UnstorableText):
        await database.write(all_of([(insert(things), [_row("a"), _row("b", user="\ud800")])]))
    assert await _all(database) == []


def test_postgresql_gets_its_own_spelling_and_values_by_name() -> None:
    statement: Insert = postgresql.insert(things).on_conflict_do_nothing()
    one = PreparedInsert(statement, postgresql.psycopg.dialect(), ("id", "at"))  # type: ignore[no-untyped-call]
    seen: list[Any] = []

    class Connection:
        def exec_driver_sql(self, *asked: Any) -> None:
            seen.extend(asked)

    one.execute(Connection(), [{"id": "a", "at": NOW}])  # type: ignore[arg-type]
    sql, values = seen
    assert "ON CONFLICT DO NOTHING" in sql
    assert "%(id)s" in sql
    assert values == [{"id": "a", "at": NOW.timestamp()}]
