"""What any blob store of ingest must do. A subclass gives the fixture `blobs`, an empty store."""

from __future__ import annotations

import asyncio
import hashlib
import io

import pytest

from ingest.errors import BlobMissing
from ingest.ports import BlobStore

CONTENT = b"bytes" * 100_000
KEY = f"acme/{hashlib.sha256(CONTENT).hexdigest()}"


async def _unwanted() -> bool:
    return False


class BlobConformance:
    """Content-addressed bytes that are there whole or not at all, and that go only when nobody wants them."""

    async def test_what_was_put_is_read_streamed_and_lent_as_a_file(self, blobs: BlobStore) -> None:
        source = io.BytesIO(CONTENT)
        source.read(7)  # whoever looked at it before
        await blobs.put(KEY, source)
        await blobs.put(KEY, io.BytesIO(CONTENT))
        assert await blobs.read(KEY) == CONTENT
        assert b"".join([piece async for piece in blobs.stream(KEY)]) == CONTENT
        async with blobs.local(KEY) as path:
            assert path.read_bytes() == CONTENT
        await blobs.probe()

    async def test_what_is_missing_says_so(self, blobs: BlobStore) -> None:
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
        self, blobs: BlobStore
    ) -> None:
        await blobs.put(KEY, io.BytesIO(CONTENT))

        async def looks() -> bool:
            assert await blobs.read(KEY) == CONTENT
            return True

        await blobs.remove_unless(KEY, looks)
        assert await blobs.read(KEY) == CONTENT
        await blobs.remove_unless(KEY, _unwanted)
        assert not await blobs.exists(KEY)

    async def test_a_removal_that_breaks_off_loses_nothing(self, blobs: BlobStore) -> None:
        await blobs.put(KEY, io.BytesIO(CONTENT))

        async def breaks_down() -> bool:
            raise OSError("no database")

        with pytest.raises(OSError, match="no database"):
            await blobs.remove_unless(KEY, breaks_down)
        assert await blobs.read(KEY) == CONTENT
        await blobs.remove_unless(KEY, _unwanted)
        assert not await blobs.exists(KEY)

    async def test_a_removal_waits_for_whoever_is_about_to_name_the_bytes(self, blobs: BlobStore) -> None:
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

    async def test_bytes_removed_before_they_are_kept_are_stored_anew(self, blobs: BlobStore) -> None:
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

    async def test_empty_bytes_are_kept_like_any(self, blobs: BlobStore) -> None:
        nothing = f"acme/{hashlib.sha256().hexdigest()}"
        await blobs.put(nothing, io.BytesIO())
        assert await blobs.exists(nothing)
        assert await blobs.read(nothing) == b""
        async with blobs.local(nothing) as path:
            assert path.read_bytes() == b""

    async def test_the_bytes_of_a_tenant_go_and_nobody_elses(self, blobs: BlobStore) -> None:
        digest = KEY.partition("/")[2]
        for tenant in ("acme", "acme-2", "globex"):
            await blobs.put(f"{tenant}/{digest}", io.BytesIO(CONTENT))
        await blobs.remove_tenant("acme")
        await blobs.remove_tenant("acme")
        await blobs.remove_tenant("nobody")
        there = [tenant for tenant in ("acme", "acme-2", "globex") if await blobs.exists(f"{tenant}/{digest}")]
        assert there == ["acme-2", "globex"]

    async def test_keys_that_are_old_enough_are_told(self, blobs: BlobStore) -> None:
        await blobs.put(KEY, io.BytesIO(CONTENT))
        assert [key async for keys in blobs.old_keys(-1) for key in keys] == [KEY]

    async def test_keepers_do_not_wait_for_one_another_for_long(self, blobs: BlobStore) -> None:
        async def keep() -> None:
            async with blobs.keeping(KEY, KEY):
                await blobs.put(KEY, io.BytesIO(CONTENT))

        async with asyncio.timeout(60):
            await asyncio.gather(*(keep() for _ in range(8)))
        assert await blobs.read(KEY) == CONTENT
