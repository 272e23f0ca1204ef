"""A disk that is full while a backup is written: it fails as such, and nothing is left that looks like a backup."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cli.tests.server import client_of

from groundwork.stack import backup as whole_backups


def test_a_backup_on_a_full_disk_fails_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own full device takes the place of the file that is written."""
    made = tempfile.mkstemp

    def full(**where: Any) -> tuple[int, str]:
        descriptor, name = made(**where)
        os.close(descriptor)
        return os.open("/dev/full", os.O_WRONLY), name

    monkeypatch.setattr(tempfile, "mkstemp", full)
    client = client_of(lambda _: httpx2.Response(200, content=bytes(4_000_000)))
    with pytest.raises(OSError, match="No space left") as failed:
        whole_backups.back_up(client, tmp_path / "backup.tar")
    assert failed.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
