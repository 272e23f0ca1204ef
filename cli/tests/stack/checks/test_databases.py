"""A start on a database that no service can begin on, or on a disk without room: words instead of tracebacks."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli.tests.installation import NOTHING

from groundwork.stack import lifecycle
from groundwork.stack.checks.databases import LEDGERS, check_databases, examine_file, known_revisions
from groundwork.stack.home.errors import DatabaseUnusable, DataTooNew
from groundwork.stack.home.folder import Home
from groundwork.stack.upgrades.automatic_backup import back_up


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
        DataTooNew, match=rf"The data of {service} need a newer version of Groundwork, and this is [0-9.]+: install"
    ) as error:
        lifecycle.up(home, port=0, overrides=NOTHING)
    assert "`groundwork restore BACKUP`. Nothing was started or changed." in str(error.value)
    assert lifecycle.running_state(home) is None


def test_a_database_of_a_later_version_names_that_version_and_the_backup_that_this_one_can_open(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    _database(home, "agent", max(known_revisions("agent")))
    fitting = back_up(home, NOTHING)
    with closing(sqlite3.connect(home.data("agent") / "agent.sqlite")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9998'")
        connection.commit()
    back_up(home, NOTHING)  # of a home that was migrated in part
    with closing(sqlite3.connect(home.data("agent") / "agent.sqlite")) as connection:
        connection.execute("ALTER TABLE alembic_version ADD COLUMN migrated_by VARCHAR(32)")
        connection.execute("UPDATE alembic_version SET version_num = '9999', migrated_by = '7.1.0'")
        connection.commit()
    with pytest.raises(DataTooNew) as error:
        check_databases(home, NOTHING)
    assert "need Groundwork 7.1.0 or newer" in str(error.value)
    assert ": install 7.1.0, or restore the backup of " in str(error.value)
    assert f"`groundwork restore {fitting.folder}`. Nothing" in str(error.value)
    finding = examine_file(home, "agent", home.data("agent") / "agent.sqlite", 1_000_000)
    assert finding.detail.startswith("The data of agent need Groundwork 7.1.0 or newer, and this is ")
    assert finding.mend.startswith("Install 7.1.0, or restore the backup of ")


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
        _database(home, service, max(known_revisions(service)))
    check_databases(home, NOTHING)
    shutil.rmtree(home.data("agent"))
    home.data("agent").mkdir()
    (home.data("agent") / "agent.sqlite").touch()
    check_databases(home, NOTHING)
