from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli.tests.installation import run_state
from cli.tests.stack.upgrades.homes import database, older_home
from cli.tests.terminal import output, sentence

from groundwork.stack import lifecycle
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.folder import Home
from groundwork.stack.lifecycle import Running
from groundwork.stack.upgrades.automatic_backup import back_up


@pytest.fixture
def older(tmp_path: Path) -> Home:
    return older_home(tmp_path / "home")


def test_a_check_says_what_would_be_done_and_does_nothing(older: Home) -> None:
    said = output("upgrade", "--check")
    assert "Data written by: 0.1.0, or a version before 0.2.0." in said
    assert "gateway: schema 0001 becomes 00" in said
    assert f"MB in {older.backups}" in said
    assert not older.backups.exists()


def test_a_check_of_a_home_of_this_version_or_without_data_says_that_nothing_is_to_do() -> None:
    assert "No database of this home needs a migration." in output("upgrade", "--check")


def test_a_check_names_what_no_backup_holds_and_the_ways_back(older: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    made = back_up(older, Overrides({}))
    monkeypatch.setenv("AGENT_DATABASE_URL", "postgresql://db/agent")
    said = output("upgrade", "--check")
    assert "Not in that backup: the database of agent. Before you install another version, run `groundwork" in said
    assert f"To go back: groundwork restore {made.folder}" in said


def test_an_upgrade_stops_what_runs_and_starts_with_a_backup(older: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []

    def up(home: Home, **told: Any) -> Running:
        done.append(("up", told["with_backup"]))
        home.admin_key_file.write_text("gw_first\n")
        return Running(run_state(home), False, 1.5, back_up(home, Overrides({})))

    monkeypatch.setattr(lifecycle, "down", lambda _: done.append("down"))
    monkeypatch.setattr(lifecycle, "up", up)
    assert "Backup of the data as they were before: " in output("upgrade")
    output("upgrade", "--without-backup")
    assert done == ["down", ("up", True), "down", ("up", False)]


def test_data_of_a_newer_version_are_one_sentence_in_up_and_upgrade(older: Home) -> None:
    with closing(sqlite3.connect(database(older, "lab"))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for command in (["up"], ["upgrade"], ["upgrade", "--check"]):
        assert "The data of lab need a newer version of Groundwork, and this is " in sentence(*command)


def test_the_backup_of_an_upgrade_is_restored_by_its_folder(older: Home) -> None:
    made = back_up(older, Overrides({}))
    said = output("restore", str(made.folder))
    assert f"{older.root} is as it was at " in said
    assert "before `groundwork up`: this version would upgrade it again." in said
    assert len(list(older.backups.iterdir())) == 2
