"""What every blob store promises, asked of each."""

from __future__ import annotations

import asyncio
import hashlib
import io
from pathlib import Path

import pytest

from ingest.adapters.folder_blobs import FolderBlobs
from ingest.adapters.memory_blobs import MemoryBlobs
from ingest.errors import BlobMissing
from ingest.ports import BlobStore

CONTENT = b"bytes" * 100_000
KEY = f"acme/{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return FolderBlobs(tmp_path / "blobs") if request.param == "folder" else MemoryBlobs()


async def _wanted() -> bool:
    return True


async def _unwanted() -> bool:
    return False


async def test_what_was_put_is_read_streamed_and_lent_as_a_file(blobs: BlobStore) -> None:
    source = io.BytesIO(CONTENT)
    source.read(7)  # whoever looked at it before
    await blobs.put(KEY, source)
    await blobs.put(KEY, io.BytesIO(CONTENT))
    assert await blobs.read(KEY) == CONTENT
    assert b"".join([piece async for piece in blobs.stream(KEY)]) == CONTENT
    async with blobs.local(KEY) as path:
        assert path.read_bytes() == CONTENT
    await blobs.probe()


async def test_what_is_missing_says_so(blobs: BlobStore) -> None:
    assert not await blobs.exists(KEY)
    with pytest.raises(BlobMissing):
        await blobs.read(KEY)
    with pytest.raises(BlobMissing):
        await anext(blobs.stream(KEY))
    with pytest.raises(BlobMissing):
        async with blobs.local(KEY):
            pass
    await blobs.remove_unless(KEY, _unwanted)


async def test_bytes_that_are_wanted_are_there_all_the_time_and_go_only_when_nobody_wants_them(
    blobs: BlobStore,
) -> None:
    await blobs.put(KEY, io.BytesIO(CONTENT))

    async def looks() -> bool:
        assert await blobs.read(KEY) == CONTENT
        return True

    await blobs.remove_unless(KEY, looks)
    assert await blobs.read(KEY) == CONTENT
    await blobs.remove_unless(KEY, _unwanted)
    assert not await blobs.exists(KEY)


async def test_a_removal_that_breaks_off_loses_nothing(blobs: BlobStore) -> None:
    await blobs.put(KEY, io.BytesIO(CONTENT))

    async def breaks_down() -> bool:
        raise OSError("no database")

    with pytest.raises(OSError, match="no database"):
        await blobs.remove_unless(KEY, breaks_down)
    assert await blobs.read(KEY) == CONTENT
    await blobs.remove_unless(KEY, _unwanted)
    assert not await blobs.exists(KEY)


async def test_a_removal_waits_for_whoever_is_about_to_name_the_bytes(blobs: BlobStore) -> None:
    await blobs.put(KEY, io.BytesIO(CONTENT))
    rows: list[str] = []

    async def is_named() -> bool:
        return bool(rows)

    async with blobs.keeping(KEY):
        removal = asyncio.create_task(blobs.remove_unless(KEY, is_named))
        done, _ = await asyncio.wait({removal}, timeout=0.1)
        assert not done
        await blobs.put(KEY, io.BytesIO(CONTENT))
        rows.append("committed")
    await removal
    assert await blobs.read(KEY) == CONTENT


async def test_bytes_removed_before_they_are_kept_are_stored_anew(blobs: BlobStore) -> None:
    await blobs.put(KEY, io.BytesIO(CONTENT))
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly_unwanted() -> bool:
        asked.set()
        await go_on.wait()
        return False

    async def keep() -> None:
        async with blobs.keeping(KEY):
            await blobs.put(KEY, io.BytesIO(CONTENT))

    removal = asyncio.create_task(blobs.remove_unless(KEY, slowly_unwanted))
    await asked.wait()
    keeping = asyncio.create_task(keep())
    go_on.set()
    await asyncio.gather(removal, keeping)
    assert await blobs.read(KEY) == CONTENT


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
