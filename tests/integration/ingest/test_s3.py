"""Blobs on a real S3 server: what every store promises, and that no fault of server or network loses or halves any."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support.ingest.blob_conformance import CONTENT, KEY, BlobConformance
from tests.support.ingest.peers import until
from tests.support.ingest.s3_server import BUCKET, S3Server
from tests.support.network.faulty_network import Network, network_to

from ingest.blobs import s3_uploads
from ingest.blobs.s3 import S3Blobs
from ingest.errors import BlobMissing, BlobStoreAway
from ingest.settings import IngestSettings
from ingest.stores import MIGRATIONS, open_blobs
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

Opening = Callable[..., Any]
HASTE_SECONDS = 1.0
"""What a store bears that meets a silent server; any other bears what no busy machine needs."""


@pytest.fixture
async def opened(tmp_path: Path, s3: S3Server) -> AsyncIterator[Opening]:
    """Opens stores in a place of the test's own, all over one ledger, as replicas have it."""
    async with AsyncExitStack() as stack:
        database = Database.open(None, tmp_path, "ingest")
        stack.push_async_callback(database.close)
        await migrate(database, MIGRATIONS)

        async def opening(endpoint: str = "", **settings: Any) -> S3Blobs:
            given = {name.removeprefix("INGEST_").lower(): text for name, text in s3.settings(tmp_path.name).items()}
            chosen = IngestSettings(data_dir=tmp_path, **{**given, "s3_endpoint": endpoint or s3.url, **settings})
            blobs = await stack.enter_async_context(open_blobs(chosen, database))
            assert isinstance(blobs, S3Blobs)
            return blobs

        yield opening


@pytest.fixture
async def blobs(opened: Opening) -> S3Blobs:
    store: S3Blobs = await opened()
    return store


class TestS3Blobs(BlobConformance):
    """The suite that the folder passes."""


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> tuple[str, bytes]:
    """Bytes that are large enough to go in parts, of the least size that S3 takes, and their key."""
    monkeypatch.setattr(s3_uploads, "ONE_CALL_BYTES", 1024)
    monkeypatch.setattr(s3_uploads, "PART_BYTES", 5 * 1024 * 1024)
    content = os.urandom(12 * 1024 * 1024)
    return f"acme/{hashlib.sha256(content).hexdigest()}", content


def _names(s3: S3Server, tmp_path: Path) -> list[str]:
    """What is in the test's place, but for the probe."""
    return [name for name in s3.names() if f"{tmp_path.name}/" in name and not name.endswith(".probe")]


async def test_large_bytes_go_in_parts_and_come_back_in_pieces(blobs: S3Blobs, in_parts: tuple[str, bytes]) -> None:
    key, content = in_parts
    await blobs.put(key, io.BytesIO(content))
    pieces = [piece async for piece in blobs.stream(key)]
    assert len(pieces) == 3
    assert b"".join(pieces) == content
    async with blobs.local(key) as path:
        assert path.read_bytes() == content
    assert not path.exists()


async def test_names_that_are_no_keys_are_not_taken(blobs: S3Blobs) -> None:
    for name in ("../etc/passwd", "acme/short", f"{KEY}/more", ""):
        with pytest.raises(ValueError, match="not a blob key"):
            await blobs.read(name)


async def test_an_upload_that_breaks_off_leaves_nothing(
    opened: Opening, network: Network, s3: S3Server, tmp_path: Path, in_parts: tuple[str, bytes]
) -> None:
    key, content = in_parts
    blobs = await opened(network.url)
    network.cut_after = 3 * 1024 * 1024  # of a connection: in the middle of the first part, at each attempt
    with pytest.raises(BlobStoreAway):
        await blobs.put(key, io.BytesIO(content))
    assert _names(s3, tmp_path) == [], "its parts are removed at once"
    network.cut_after = None
    await blobs.put(key, io.BytesIO(content))
    assert await blobs.read(key) == content


async def test_parts_that_a_killed_process_left_are_swept(blobs: S3Blobs, s3: S3Server, tmp_path: Path) -> None:
    name = f"{tmp_path.name}/{KEY}"
    upload = s3.client().create_multipart_upload(Bucket=BUCKET, Key=name)["UploadId"]
    s3.client().upload_part(Bucket=BUCKET, Key=name, UploadId=upload, PartNumber=1, Body=b"half")
    assert not await blobs.exists(KEY)
    assert _names(s3, tmp_path) == [f"part of {name}"]
    assert [key async for keys in blobs.old_keys(-1) for key in keys] == []
    assert _names(s3, tmp_path) == []


async def test_a_server_killed_in_the_middle_takes_an_upload_again_when_it_is_back(
    tmp_path: Path, opened: Opening, in_parts: tuple[str, bytes]
) -> None:
    key, content = in_parts
    server = S3Server(tmp_path)
    server.start()
    try:
        with network_to(server.port) as network:
            blobs = await opened(network.url, **_keys(server))
            network.pause = 0.5
            upload = asyncio.create_task(blobs.put(key, io.BytesIO(content)))
            begun = lambda: bool(server.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads"))  # noqa: E731
            await asyncio.to_thread(until, begun, "the upload is under way")
            server.kill()
            network.pause = 0.0
            with pytest.raises(BlobStoreAway):
                await upload
            with pytest.raises(BlobStoreAway):
                await blobs.probe()
            server.start()
            blobs = await opened(network.url, **_keys(server))
            await blobs.probe()
            await blobs.put(key, io.BytesIO(content))
            assert await blobs.read(key) == content
    finally:
        server.kill()


async def test_errors_of_the_server_are_tried_again_and_not_for_ever(opened: Opening, network: Network) -> None:
    blobs = await opened(network.url)
    network.errors = 2
    await blobs.put(KEY, io.BytesIO(CONTENT))
    assert await blobs.read(KEY) == CONTENT
    network.errors, network.connections = 1000, 0
    other = f"acme/{hashlib.sha256(b'other').hexdigest()}"
    for call in (blobs.read(KEY), blobs.put(other, io.BytesIO(b"other"))):
        with pytest.raises(BlobStoreAway) as away:
            await call
        assert away.value.http_status == 503
        assert away.value.headers()["Retry-After"]
    assert network.connections == 6, "three attempts each"


async def test_a_slow_server_is_waited_for_and_a_silent_one_is_not(opened: Opening, network: Network) -> None:
    blobs, hasty = await opened(network.url), await opened(network.url, s3_seconds=HASTE_SECONDS)
    network.pause = 0.1
    await blobs.put(KEY, io.BytesIO(CONTENT))
    network.pause, network.is_cut = 0.0, True
    async with asyncio.timeout(60):
        with pytest.raises(BlobStoreAway, match="can't be reached"):
            await hasty.read(KEY)
        with pytest.raises(BlobStoreAway):
            await hasty.probe()
    network.is_cut = False
    assert await blobs.read(KEY) == CONTENT


async def test_a_wrong_key_a_missing_bucket_and_no_server_say_what_is_wrong(opened: Opening, s3: S3Server) -> None:
    """None of them looks like a missing blob, for which a job would be failed."""
    faults = {
        "refuses these credentials": {"s3_secret_access_key": "not-the-secret"},
        "no such bucket": {"blobs_url": "s3://no-such-bucket/x"},
        "can't be reached": {"s3_endpoint": "http://127.0.0.1:1"},
    }
    for why, settings in faults.items():
        blobs = await opened(**{"endpoint": settings.get("s3_endpoint", ""), **settings})
        for call in (blobs.probe(), blobs.put(KEY, io.BytesIO(CONTENT)), blobs.read(KEY), blobs.remove_tenant("acme")):
            with pytest.raises(BlobStoreAway, match=why) as away:
                await call
            assert s3.access_key_id not in away.value.message
            assert "not-the-secret" not in away.value.message


async def test_bytes_that_are_not_those_that_were_put_are_not_lent(
    blobs: S3Blobs, s3: S3Server, tmp_path: Path
) -> None:
    s3.client().put_object(Bucket=BUCKET, Key=f"{tmp_path.name}/{KEY}", Body=b"other bytes")
    with pytest.raises(BlobMissing):
        async with blobs.local(KEY):
            pass
    assert list((tmp_path / "blob-copies").iterdir()) == []


async def test_a_tenants_unfinished_uploads_go_with_it(blobs: S3Blobs, s3: S3Server, tmp_path: Path) -> None:
    s3.client().create_multipart_upload(Bucket=BUCKET, Key=f"{tmp_path.name}/{KEY}")
    await blobs.put(KEY, io.BytesIO(CONTENT))
    await blobs.remove_tenant("acme")
    assert _names(s3, tmp_path) == []


async def test_a_removal_whose_end_nobody_knows_holds_uploads_of_the_same_bytes_up(
    opened: Opening, network: Network
) -> None:
    """It may yet be carried out: were the bytes stored anew now, it would take them away."""
    blobs, far = await opened(), await opened(network.url, s3_seconds=HASTE_SECONDS)
    await blobs.put(KEY, io.BytesIO(CONTENT))

    async def unwanted() -> bool:
        network.is_cut = True
        return False

    with pytest.raises(BlobStoreAway):
        await far.remove_unless(KEY, unwanted)
    keeping = blobs.keeping(KEY)
    entering = asyncio.create_task(keeping.__aenter__())
    done, _ = await asyncio.wait({entering}, timeout=1)
    assert not done
    entering.cancel()
    await asyncio.gather(entering, return_exceptions=True)


def _keys(server: S3Server) -> dict[str, str]:
    return {"s3_access_key_id": server.access_key_id, "s3_secret_access_key": server.secret_access_key}
