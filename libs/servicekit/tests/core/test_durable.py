"""What is said to be on the disk was given to the disk, and what the disk refuses is raised."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import psutil
import pytest

from servicekit.core.durable import sync, to_disk


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Inode and size of what the disk was asked to take, as it was then."""
    seen: list[tuple[int, int]] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        found = os.fstat(descriptor)
        seen.append((found.st_ino, found.st_size))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return seen


def test_an_open_file_is_flushed_before_the_disk_takes_it(tmp_path: Path, synced: list[tuple[int, int]]) -> None:
    file = tmp_path / "file"
    with file.open("wb") as written:
        written.write(b"four")
        to_disk(written)
        assert synced == [(file.stat().st_ino, 4)]


def test_a_folder_s_names_are_taken(tmp_path: Path, synced: list[tuple[int, int]]) -> None:
    sync(tmp_path)
    assert [inode for inode, _ in synced] == [tmp_path.stat().st_ino]


def test_a_full_disk_is_raised_and_leaves_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    process = psutil.Process()
    before = process.num_fds()
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="full"):
        sync(tmp_path)
    assert process.num_fds() == before
