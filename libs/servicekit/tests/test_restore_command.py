"""A restore that can't begin says in one sentence what to do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from servicekit import restore_command
from servicekit.backup_files import BackupFile
from servicekit.settings import ServiceSettings


async def _untouched(backup: BackupFile) -> None:
    raise AssertionError("nothing is restored of such a file")


def test_a_file_that_is_no_backup_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "words.tar"
    file.write_bytes(b"no tar")
    monkeypatch.setattr(sys, "argv", ["restore", str(file)])
    assert restore_command.run(ServiceSettings(), "words", _untouched) == 1
    assert f"{file} is not a whole backup" in capsys.readouterr().err


def test_a_file_that_the_user_may_not_open_names_file_and_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def restore(backup: BackupFile) -> None:
        raise PermissionError(13, "Permission denied", str(backup.path))

    monkeypatch.setattr(sys, "argv", ["restore", str(tmp_path / "closed.tar"), restore_command.CHECKED])
    assert restore_command.run(ServiceSettings(), "words", restore) == 1
    assert (
        capsys.readouterr().err == f"User {os.geteuid()} may not open {tmp_path}/closed.tar: let that user read it.\n"
    )
