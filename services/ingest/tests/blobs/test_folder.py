"""The blob stores of one host: each keeps what every store promises, and a folder never holds half a blob."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.ingest.blob_conformance import CONTENT, KEY, BlobConformance

from ingest.blobs.folder import FolderBlobs
from ingest.ports import BlobStore


class TestFolderBlobs(BlobConformance):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        return FolderBlobs(tmp_path / "blobs")


@dataclass(frozen=True)
class Sync:
    """One fsync: of which file or folder, how large it was, and the names of the files that were there."""

    inode: int
    size: int
    names: frozenset[str]


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Sync]:
    """What is synced to the disk, in order."""
    sync, seen = os.fsync, list[Sync]()

    def noted(descriptor: int) -> None:
        is_now = os.fstat(descriptor)
        names = frozenset(path.name for path in tmp_path.rglob("*") if path.is_file())
        seen.append(Sync(is_now.st_ino, is_now.st_size, names))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return seen


def the_file_in(folder: Path) -> Path:
    (file,) = (path for path in folder.rglob("*") if path.is_file())
    return file


async def test_bytes_and_all_folders_that_lead_to_them_are_on_disk_when_put_returns(
    tmp_path: Path, syncs: list[Sync]
) -> None:
    await FolderBlobs(tmp_path / "blobs").put(KEY, io.BytesIO(CONTENT))
    file = the_file_in(tmp_path)
    of_file, *of_folders = syncs
    assert (of_file.inode, of_file.size) == (file.stat().st_ino, len(CONTENT))
    assert file.name not in of_file.names
    assert all(file.name in each.names for each in of_folders)
    leading = [folder for folder in file.parents if folder == tmp_path or tmp_path in folder.parents]
    assert {each.inode for each in of_folders} == {folder.stat().st_ino for folder in leading}


async def test_bytes_that_another_process_has_just_put_are_on_disk_too_when_put_returns(
    tmp_path: Path, syncs: list[Sync]
) -> None:
    for _ in range(2):
        syncs.clear()
        await FolderBlobs(tmp_path / "blobs").put(KEY, io.BytesIO(CONTENT))
    assert [each.inode for each in syncs] == [the_file_in(tmp_path).parent.stat().st_ino]


async def test_old_keys_are_told_and_half_written_files_are_removed(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    await blobs.put(KEY, io.BytesIO(CONTENT))
    half = next((tmp_path / "blobs" / "acme").iterdir()) / ".half"
    half.write_bytes(b"broken off")
    assert [key async for keys in blobs.old_keys(3600) for key in keys] == []
    assert half.exists()
    assert [key async for keys in blobs.old_keys(-1) for key in keys] == [KEY]
    assert not half.exists()


async def test_a_folder_store_takes_no_other_names_and_leaves_no_half_files(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the upload broke off")

    blobs = FolderBlobs(tmp_path / "blobs")
    for name in ("../etc/passwd", "acme/short", "ACME/" + "0" * 64, f"{KEY}/more"):
        with pytest.raises(ValueError, match="not a blob key"):
            await blobs.read(name)
    with pytest.raises(OSError, match="broke off"):
        await blobs.put(KEY, Broken())
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []
