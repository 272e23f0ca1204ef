"""A home of each released version is upgraded to this one: everything is in it, and there is a way back."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest
from tests.e2e.operations.test_home import groundwork
from tests.support.home.stack import ROOT
from tests.support.home.stored import FOLDER, as_stored, look, unpack

from groundwork.commands.session import read_admin_key
from groundwork.stack.home.backups import list_backups
from groundwork.stack.home.folder import Home
from groundwork.stack.lifecycle import down, running_state
from servicekit.core.version import package_version

STORED = sorted(file.name.removesuffix(".tar.xz") for file in FOLDER.glob("*.tar.xz"))
INSTALLED = package_version("servicekit")


def test_each_released_version_has_a_stored_home() -> None:
    released = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert INSTALLED in released
    assert set(STORED) | {INSTALLED} == set(released), "make stored-home with the code of that version"
    assert all(f"`{version}.tar.xz`" in (FOLDER / "README.md").read_text() for version in STORED)


@pytest.mark.parametrize("version", STORED)
def test_a_stored_home_is_upgraded_with_everything_in_it_and_goes_back(version: str, tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    kept = unpack(FOLDER / f"{version}.tar.xz", home.root)
    planned = groundwork(home, "upgrade", "--check")
    assert planned.returncode == 0, planned.stderr
    pending = re.findall(r"^(\w+): schema (\w+) becomes (\w+)$", planned.stdout, re.MULTILINE)
    assert pending or version != "0.1.0", planned.stdout
    assert not home.backups.exists()
    try:
        done = groundwork(home, "upgrade", "--port", "0")
        assert done.returncode == 0, done.stdout + done.stderr
        state = running_state(home)
        assert state is not None
        headers = {"Authorization": f"Bearer {read_admin_key(home.admin_key_file)}"}
        with httpx2.Client(base_url=f"http://127.0.0.1:{state.ports['gateway']}", headers=headers, timeout=300) as http:
            assert as_stored(look(http, kept)) == kept["seen"]
    finally:
        down(home)
    assert "No database of this home needs a migration." in groundwork(home, "upgrade", "--check").stdout
    backups = list_backups(home)
    assert len(backups) == (1 if pending else 0)
    for backup in backups:
        restored = groundwork(home, "restore", str(backup.folder))
        assert restored.returncode == 0, restored.stderr
        again = groundwork(home, "upgrade", "--check").stdout
        assert re.findall(r"^(\w+): schema (\w+) becomes (\w+)$", again, re.MULTILINE) == pending
