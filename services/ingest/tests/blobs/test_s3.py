"""Blobs in a bucket: all that a store promises, over a bucket in memory that can fail."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ReadTimeoutError, ResponseStreamingError
from services.ingest.tests.blobs.buckets import PLACE, MemoryBucket, calls_of, client_error
from tests.support.ingest.blob_conformance import CONTENT, KEY, BlobConformance

from ingest.blobs import claims as blob_claims
from ingest.blobs import s3 as s3_blobs
from ingest.blobs.claims import BlobClaims
from ingest.blobs.s3 import S3Blobs
from ingest.errors import BlobBusy, BlobMissing, BlobStoreAway
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

NAME = f"gw/{KEY}"


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def blobs(
    bucket: MemoryBucket, database: Database, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[S3Blobs]:
    calls = calls_of(bucket, monkeypatch)
    yield S3Blobs(calls, PLACE, BlobClaims(database, clock), tmp_path / "copies")
    calls.close()


class TestS3Blobs(BlobConformance):
    """The suite that the folder passes."""


async def unwanted() -> bool:
    return False


async def test_a_key_is_a_name_below_the_prefix_and_nothing_else_is_a_key(blobs: S3Blobs, bucket: MemoryBucket) -> None:
    await blobs.put(KEY, io.BytesIO(CONTENT))
    assert list(bucket.objects) == [NAME]
    for name in ("../etc/passwd", "acme/short", f"{KEY}/more", "", ".probe"):
        with pytest.raises(ValueError, match="not a blob key"):
            await blobs.exists(name)


async def test_a_piece_that_breaks_off_is_read_again_and_not_for_ever(
    blobs: S3Blobs, bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_blobs, "PIECE", 200_000)
    bucket.objects[NAME] = CONTENT
    broken = [ResponseStreamingError(error="cut") for _ in range(5)]

    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if broken:
                raise broken.pop()
            return super().read(size)

    monkeypatch.setattr("services.ingest.tests.blobs.buckets.io.BytesIO", Breaking)
    with pytest.raises(BlobStoreAway):
        await blobs.read(KEY)
    assert bucket.calls == ["get_object"] * 3
    assert await blobs.read(KEY) == CONTENT
    assert len(bucket.calls) == 3 + 2 + 3, "two that broke off, then three pieces"


async def test_bytes_that_are_not_those_that_were_put_are_not_lent(
    blobs: S3Blobs, bucket: MemoryBucket, tmp_path: Path
) -> None:
    bucket.objects[NAME] = b"other bytes"
    with pytest.raises(BlobMissing):
        async with blobs.local(KEY):
            pass
    assert list((tmp_path / "copies").iterdir()) == []


async def test_a_removal_of_which_nobody_knows_whether_it_was_done_holds_the_bytes(
    blobs: S3Blobs, bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.objects[NAME] = CONTENT
    bucket.failing["delete_object"] = [ReadTimeoutError(endpoint_url="http://s3.test")]
    with pytest.raises(BlobStoreAway):
        await blobs.remove_unless(KEY, unwanted)
    monkeypatch.setattr(blob_claims, "WAIT_SECONDS", 0.2)
    with pytest.raises(BlobBusy):
        async with blobs.keeping(KEY):
            pass


async def test_a_removal_that_was_refused_holds_nothing(blobs: S3Blobs, bucket: MemoryBucket) -> None:
    bucket.objects[NAME] = CONTENT
    bucket.failing["delete_object"] = [client_error("AccessDenied", 403)]
    with pytest.raises(BlobStoreAway):
        await blobs.remove_unless(KEY, unwanted)
    async with blobs.keeping(KEY):
        assert await blobs.exists(KEY)


async def test_a_removal_that_took_too_long_to_decide_removes_nothing(
    blobs: S3Blobs, bucket: MemoryBucket, clock: ManualClock
) -> None:
    bucket.objects[NAME] = CONTENT

    async def slowly_unwanted() -> bool:
        clock.advance(blob_claims.REMOVED.total_seconds() - s3_blobs.SURE_SECONDS + 1)
        return False

    await blobs.remove_unless(KEY, slowly_unwanted)
    assert await blobs.exists(KEY)


async def test_old_keys_are_told_by_the_page_and_what_broken_off_calls_left_goes(
    blobs: S3Blobs, bucket: MemoryBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_blobs, "AT_ONCE", 2)
    keys = [f"acme/{number:064}" for number in range(3)]
    bucket.objects = {f"gw/{key}": b"" for key in keys} | {"gw/.probe": b"", "elsewhere/x": b""}
    bucket.create_multipart_upload(Key=NAME)
    (tmp_path / "copies").mkdir()
    left, fresh = tmp_path / "copies" / "left", tmp_path / "copies" / "fresh"
    for path in (left, fresh):
        path.write_bytes(b"")
    os.utime(left, (0, 0))
    assert [page async for page in blobs.old_keys(3600)] == [[], []], "all are new"
    assert (left.exists(), fresh.exists(), len(bucket.uploads)) == (False, True, 1)
    assert [page async for page in blobs.old_keys(-60)] == [keys[:1], keys[1:]]
    assert bucket.uploads == {}


async def test_the_store_is_probed_by_writing_unless_it_has_just_been_written(
    blobs: S3Blobs, bucket: MemoryBucket
) -> None:
    await blobs.probe()
    await blobs.probe()
    assert bucket.calls == ["put_object", "head_bucket"]
    bucket.failing["head_bucket"] = [client_error("404", 404)]
    with pytest.raises(BlobStoreAway, match="no such bucket"):
        await blobs.probe()


async def test_a_bucket_that_keeps_what_is_deleted_is_a_concern_and_one_that_may_not_be_asked_is_none(
    blobs: S3Blobs, bucket: MemoryBucket
) -> None:
    assert await blobs.concern() == ""
    bucket.versioning = {"Status": "Enabled"}
    assert "suspend its versioning" in await blobs.concern()
    bucket.failing["get_bucket_versioning"] = [client_error("AccessDenied", 403)]
    assert await blobs.concern() == ""
