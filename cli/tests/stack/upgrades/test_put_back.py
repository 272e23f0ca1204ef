from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli.tests.installation import NOTHING
from cli.tests.stack.upgrades.homes import database, older_home, words, write

from groundwork.stack import backup as whole_backups
from groundwork.stack import lifecycle
from groundwork.stack.home.backups import list_backups
from groundwork.stack.home.errors import BackupUnusable, HomeUnfinished
from groundwork.stack.home.folder import Home
from groundwork.stack.lifecycle import restore_backup
from groundwork.stack.upgrades.automatic_backup import back_up

KILLED_WHILE_IT_PUTS_BACK = """
import os, sys
from pathlib import Path
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.folder import Home
from groundwork.stack.upgrades import put_back

copied = put_back.copy_data
def kill(service, source, target):
    copied(service, source, target)
    if service == "ingest":
        os.kill(os.getpid(), 9)
put_back.copy_data = kill
put_back.put_back(Home.at(Path(sys.argv[1])), Overrides({}), Path(sys.argv[2]))
"""


@pytest.fixture
def older(tmp_path: Path) -> Home:
    return older_home(tmp_path / "home")


def test_a_home_is_as_it_was_and_what_it_had_become_is_a_backup(older: Home) -> None:
    made = back_up(older, NOTHING)
    write(older, "gateway", "after")
    (older.data("ingest") / "blobs/acme/ab/abcd").unlink()
    _, replaced = restore_backup(older, made.folder, NOTHING)
    assert words(database(older, "gateway")) == ["before"]
    assert (older.data("ingest") / "blobs/acme/ab/abcd").read_bytes() == b"bytes of a document"
    assert replaced is not None
    restore_backup(older, replaced.folder, NOTHING)
    assert words(database(older, "gateway")) == ["before", "after"]
    write(older, "gateway", "later")
    assert words(replaced.data("gateway") / "gateway.sqlite") == ["before", "after"]


def test_a_restore_that_was_killed_keeps_the_home_from_starting_until_it_is_run_again(older: Home) -> None:
    made = back_up(older, NOTHING)
    write(older, "gateway", "after")
    command = [sys.executable, "-c", KILLED_WHILE_IT_PUTS_BACK, str(older.root), str(made.folder)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with pytest.raises(HomeUnfinished, match=f"groundwork restore {made.folder}"):
        lifecycle.up(older, port=0, overrides=NOTHING)
    with pytest.raises(HomeUnfinished):  # which would delete what is there
        whole_backups.restore(older, Path("backup.tar"), NOTHING)
    there = len(list_backups(older))
    _, replaced = restore_backup(older, made.folder, NOTHING)
    assert words(database(older, "gateway")) == ["before"]
    assert replaced is None
    assert len(list_backups(older)) == there == 2
    assert not older.restoring_file.exists()


def test_another_folder_is_refused_and_nothing_changes(older: Home, tmp_path: Path) -> None:
    with pytest.raises(BackupUnusable, match="none that an upgrade made"):
        restore_backup(older, tmp_path, NOTHING)
    assert words(database(older, "gateway")) == ["before"]
    assert list_backups(older) == []
