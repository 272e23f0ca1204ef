from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from groundwork.client import Groundwork
from groundwork.client.transfers.backups import HEAD, restore
from groundwork.errors import BackupDamaged

HEADS = {
    "no JSON": b"{",
    "no UTF-8": b'"\xff"',
    "nested without end": b"[" * 100_000,
    "a list": b"[]",
    "another format": b'{"format": "groundwork-collection/2"}',
    "no collection": b'{"format": "groundwork-collection/1"}',
}


@pytest.mark.parametrize("head", HEADS.values(), ids=list(HEADS))
def test_a_file_that_is_no_backup_is_named_as_such(tmp_path: Path, head: bytes) -> None:
    file = tmp_path / "backup.zip"
    with zipfile.ZipFile(file, "w") as backup:
        backup.writestr(HEAD, head)
    with (
        Groundwork("http://127.0.0.1:9", api_key="key") as client,
        pytest.raises(BackupDamaged, match=r"is not a whole backup"),
    ):
        restore(client, file, timeout=60)
