from __future__ import annotations

import errno
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cli.tests.installation import NOTHING, mode
from cli.tests.server import client_of

from groundwork.stack import backup as whole_backups
from groundwork.stack.home.errors import BackupUnusable, FileThere, HomeInUse, RestoreFailed
from groundwork.stack.home.folder import Home
from servicekit.backup.file import PartWriter, about


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


def whole(*services: str) -> bytes:
    """A backup of services that keep one line each."""
    parts = b""
    for service in services:
        part = PartWriter(service)
        parts += part.member("lines.jsonl", b"{}\n") + part.end()
    return parts + about("1.0", datetime(2026, 1, 1, tzinfo=UTC), services)


def test_a_backup_is_there_for_its_owner_only_once_it_is_known_to_be_whole(tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    with client_of(lambda _: httpx2.Response(200, content=whole("gateway", "agent"))) as client:
        assert whole_backups.back_up(client, file).services == ["gateway", "agent"]
    assert mode(file) == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("cut", [0, 700, len(whole("gateway")) - 2048], ids=["empty", "cut off", "without its end"])
def test_what_is_not_whole_is_no_backup_and_leaves_no_file(tmp_path: Path, cut: int) -> None:
    content = whole("gateway")[:cut]
    with (
        client_of(lambda _: httpx2.Response(200, content=content)) as client,
        pytest.raises(BackupUnusable, match="is not a whole backup"),
    ):
        whole_backups.back_up(client, tmp_path / "backup.tar")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_replaced_not_even_one_that_came_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"

    def answer(_: httpx2.Request) -> httpx2.Response:
        file.write_text("precious")
        return httpx2.Response(200, content=whole("gateway"))

    with client_of(answer) as client:
        with pytest.raises(FileExistsError):
            whole_backups.back_up(client, file)
        with pytest.raises(FileThere, match="overwrites nothing"):
            whole_backups.back_up(client, file)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["precious"]


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    (tmp_path / "backup.tar").write_bytes(whole(*whole_backups.SERVICES))
    return tmp_path / "backup.tar"


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Services take their parts at once: which did, in order."""
    services: list[str] = []
    monkeypatch.setattr(whole_backups, "_restore_service", lambda service, *_: services.append(service))
    return services


def test_a_home_is_made_of_a_backup_and_keeps_what_its_operator_set(
    home: Home, backup: Path, restored: list[str]
) -> None:
    home.root.mkdir()
    home.settings_file.write_text("AGENT_LOG_LEVEL=debug\n")
    (home.root / "models.yaml").write_text("models: []\n")
    (home.root / "logs").mkdir()
    (home.root / "logs" / "agent.log").write_text("of an earlier start")
    said: list[str] = []
    assert whole_backups.restore(home, backup, NOTHING, said.append).version == "1.0"
    assert restored == list(whole_backups.SERVICES)
    assert said == ["checking the file", *whole_backups.SERVICES]
    assert home.settings_file.read_text() == "AGENT_LOG_LEVEL=debug\n"
    assert not home.restoring_file.exists()


@pytest.mark.parametrize("name", ["data/gateway/gateway.sqlite", "keys/admin.key", "old/a.yaml", "notes.txt"])
def test_a_home_that_holds_anything_is_not_restored_into(
    home: Home, backup: Path, restored: list[str], name: str
) -> None:
    (home.root / name).parent.mkdir(parents=True)
    (home.root / name).write_text("x")
    with pytest.raises(HomeInUse, match=rf"it holds {name.partition('/')[0]}\. Restoring overwrites"):
        whole_backups.restore(home, backup, NOTHING)
    assert (restored, (home.root / name).read_text()) == ([], "x")


def test_a_restore_that_did_not_finish_begins_anew(home: Home, backup: Path, restored: list[str]) -> None:
    home.create()
    home.restoring_file.write_text("backup.tar\n")
    half = home.data("agent") / "agent.sqlite"
    half.parent.mkdir()
    half.write_text("half")
    whole_backups.restore(home, backup, NOTHING)
    assert not half.exists()
    assert restored == list(whole_backups.SERVICES)


def test_a_service_that_fails_leaves_a_home_that_is_known_to_be_unfinished(
    home: Home, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RestoreFailed, match="part of gateway could not be restored: it said nothing"):
        whole_backups.restore(home, backup, NOTHING)
    assert home.restoring_file.read_text() == f"{backup.resolve()}\n"
