from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli.tests.installation import NOTHING, mode
from cli.tests.stack.upgrades.homes import database, older_home, words, write

from groundwork.stack.checks.databases import LEDGERS, known_revisions
from groundwork.stack.home.backups import list_backups
from groundwork.stack.home.errors import NoRoomForBackup
from groundwork.stack.home.folder import Home
from groundwork.stack.upgrades import automatic_backup
from groundwork.stack.upgrades.automatic_backup import KEPT_UPGRADES, back_up, copied_bytes, pending

KILLED_WHILE_IT_COPIES = """
import os, sys
from pathlib import Path
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.folder import Home
from groundwork.stack.upgrades import automatic_backup

copied = automatic_backup._copy_file
def kill(file, copy):
    copied(file, copy)
    os.kill(os.getpid(), 9)
automatic_backup._copy_file = kill
automatic_backup.back_up(Home.at(Path(sys.argv[1])), Overrides({}))
"""


@pytest.fixture
def older(tmp_path: Path) -> Home:
    return older_home(tmp_path / "home")


def test_a_backup_has_all_that_services_keep_but_no_scratch(older: Home) -> None:
    with closing(sqlite3.connect(database(older, "gateway"))) as open_elsewhere:
        open_elsewhere.execute("SELECT * FROM words").fetchall()
        write(older, "gateway", "in the write-ahead log")  # which no copy of the file alone would have
        made = back_up(older, NOTHING)
    assert words(made.data("gateway") / "gateway.sqlite") == ["before", "in the write-ahead log"]
    assert (made.data("ingest") / "blobs/acme/ab/abcd").read_bytes() == b"bytes of a document"
    assert not (made.data("ingest") / "parsing").exists()
    assert made.about.revisions == dict.fromkeys(LEDGERS, "0001")
    assert [each.folder for each in list_backups(older)] == [made.folder]
    assert mode(made.folder) == 0o700


def test_files_that_never_change_are_linked_and_holes_take_no_room(older: Home) -> None:
    made = back_up(older, NOTHING)
    blob = "blobs/acme/ab/abcd"
    assert (made.data("ingest") / blob).samefile(older.data("ingest") / blob)
    page = made.data("retriever") / "vectors/notes/page.dat"
    assert page.read_bytes() == (older.data("retriever") / "vectors/notes/page.dat").read_bytes()
    assert page.stat().st_blocks * 512 < 1_000_000
    assert copied_bytes(older, NOTHING) < 1_000_000


def test_a_kill_in_the_middle_leaves_no_backup_and_the_next_call_makes_one(older: Home) -> None:
    command = [sys.executable, "-c", KILLED_WHILE_IT_COPIES, str(older.root)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len(list(older.backups.iterdir())) == 1
    assert list_backups(older) == []
    made = back_up(older, NOTHING)
    assert list(older.backups.iterdir()) == [made.folder]
    assert words(database(older, "gateway")) == words(made.data("gateway") / "gateway.sqlite") == ["before"]


def test_a_disk_without_room_is_said_before_anything_is_written(older: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=50_000_000))
    with pytest.raises(NoRoomForBackup, match=r"needs 100 MB, and the disk of .* has 50 MB free\. Free some room"):
        back_up(older, NOTHING)
    assert list(older.backups.iterdir()) == []


def test_an_error_in_the_middle_leaves_nothing(older: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(automatic_backup, "_copy_file", full)
    with pytest.raises(OSError, match="No space left"):
        back_up(older, NOTHING)
    assert list(older.backups.iterdir()) == []


def test_the_first_backup_before_each_of_a_few_versions_is_kept_and_the_newest(
    older: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for version in ("0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.5.0", "0.5.0"):
        monkeypatch.setattr(automatic_backup, "package_version", lambda _, version=version: version)
        made.append(back_up(older, NOTHING))
    kept = [*made[1:4], made[5]]
    assert [each.folder for each in list_backups(older)] == [each.folder for each in kept]
    assert len(list(older.backups.iterdir())) == KEPT_UPGRADES + 1


def test_only_databases_of_an_older_schema_are_pending(older: Home) -> None:
    assert [each.service for each in pending(older, NOTHING)] == list(LEDGERS)
    for service in LEDGERS:
        with closing(sqlite3.connect(database(older, service))) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (max(known_revisions(service)),))
            connection.commit()
    assert pending(older, NOTHING) == []
    shutil.rmtree(older.root / "data")
    assert pending(older, NOTHING) == []
