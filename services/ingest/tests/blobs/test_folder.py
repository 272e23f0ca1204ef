"""The blob stores of one host: each keeps what every store promises, and a folder never holds half a blob."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from tests.support.ingest.blob_conformance import CONTENT, KEY, BlobConformance

from ingest.blobs.folder import FolderBlobs
from ingest.ports import BlobStore


class TestFolderBlobs(BlobConformance):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        return FolderBlobs(tmp_path / "blobs")


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
