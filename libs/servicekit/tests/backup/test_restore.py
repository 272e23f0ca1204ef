"""A restore that can't begin says in one sentence what to do."""

from __future__ import annotations

import os
import sys
import tarfile
from pathlib import Path

import pytest

from servicekit.backup import restore as restore_command
from servicekit.backup.file import BackupFile
from servicekit.core.settings import ServiceSettings


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


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_backup_with_anything_but_plain_files_in_it_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: bytes
) -> None:
    file = tmp_path / "linked.tar"
    with tarfile.open(file, "w") as tar:
        link = tarfile.TarInfo("words/rows.jsonl")
        link.type, link.linkname = kind, "/etc/passwd"
        tar.addfile(link)
    monkeypatch.setattr(sys, "argv", ["restore", str(file)])
    assert restore_command.run(ServiceSettings(), "words", _untouched) == 1
    assert "is not a whole backup: 'words/rows.jsonl' in it is no plain file." in capsys.readouterr().err


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
