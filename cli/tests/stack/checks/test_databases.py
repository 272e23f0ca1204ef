"""A start on a database that no service can begin on, or on a disk without room: words instead of tracebacks."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli.tests.installation import NOTHING

from groundwork.stack import lifecycle
from groundwork.stack.checks.databases import LEDGERS, _revisions, check_databases
from groundwork.stack.home.errors import DatabaseUnusable
from groundwork.stack.home.folder import Home


def _database(home: Home, service: str, revision: str) -> Path:
    file = home.data(service) / f"{service}.sqlite"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        connection.execute("CREATE TABLE t (c TEXT)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 100)
        connection.commit()
    return file


@pytest.mark.parametrize("service", LEDGERS)
def test_a_database_of_a_later_version_stops_the_start_in_words_that_name_the_service(
    tmp_path: Path, service: str
) -> None:
    home = Home.at(tmp_path / "home")
    _database(home, service, "9999")
    with pytest.raises(
        DatabaseUnusable, match=rf"database of {service} can't be used: of a later version \(schema 9999"
    ) as error:
        lifecycle.up(home, port=0, overrides=NOTHING)
    assert "Install the version that wrote it" in str(error.value)
    assert lifecycle.running_state(home) is None


@pytest.mark.parametrize("at", [0, 20_000])
def test_a_damaged_database_stops_the_start_in_words_that_name_its_file(tmp_path: Path, at: int) -> None:
    home = Home.at(tmp_path / "home")
    file = _database(home, "ingest", "0001")
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(b"\xa5" * 9_000)
    with pytest.raises(
        DatabaseUnusable, match=r"database of ingest can't be used: .*ingest\.sqlite .*Restore a backup"
    ):
        lifecycle.up(home, port=0, overrides=NOTHING)


def test_a_database_of_this_version_or_without_any_tables_yet_is_let_pass(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    for service in LEDGERS:
        _database(home, service, max(_revisions(service)))
    check_databases(home, NOTHING)
    shutil.rmtree(home.data("agent"))
    home.data("agent").mkdir()
    (home.data("agent") / "agent.sqlite").touch()
    check_databases(home, NOTHING)
