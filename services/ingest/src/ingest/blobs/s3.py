"""Blobs in a bucket of S3, or of a server that speaks its language: `<prefix>/<tenant>/<sha256>`.

An object is there whole or not at all: S3 shows it once its last byte is stored, and checks the bytes against the
digest that names them. Of an upload in parts that was broken off, the parts are removed at once, or by the sweep.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from ingest.blobs.claims import BlobClaims, Claim
from ingest.blobs.folder import KEY
from ingest.blobs.s3_calls import ATTEMPTS, CONNECT_SECONDS, QUICK_SECONDS, WAIT_SECONDS, S3Calls, code_of
from ingest.blobs.s3_location import S3Place
from ingest.blobs.s3_uploads import abort, put
from ingest.errors import BlobBusy, BlobMissing, BlobStoreAway

log = structlog.get_logger(__name__)
PIECE = 4 * 1024 * 1024
PUT_SECONDS = 600.0
WRITTEN_SECONDS = 60.0
"""How long a write counts as proof that bytes can be written."""
SURE_SECONDS = WAIT_SECONDS + 2 * QUICK_SECONDS + 30.0
"""A removal that is sent while its claim lasts so long yet is over before it ends, or was never begun."""
AT_ONCE = 1000
VERSIONS = (
    "the bucket keeps deleted bytes as older versions: suspend its versioning, or let a lifecycle rule expire "
    "noncurrent versions"
)


class S3Blobs:
    """A `BlobStore` that any number of hosts share; claims in the ledger, not locks, keep removals off."""

    def __init__(self, calls: S3Calls, place: S3Place, claims: BlobClaims, scratch: Path) -> None:
        """`scratch` is a folder for copies of blobs that have to be files."""
        self._calls = calls
        self._claims = claims
        self._scratch = scratch
        self._prefix = f"{place.prefix}/" if place.prefix else ""
        self._seconds = ATTEMPTS * (CONNECT_SECONDS + place.seconds) + 20.0
        self._written_at = float("-inf")

    @asynccontextmanager
    async def keeping(self, *keys: str) -> AsyncIterator[Claim]:
        """Claim these bytes for as long as the block lasts."""
        for key in keys:
            self._name(key)
        claim = await self._claims.keep(keys)
        ended_well = False
        try:
            yield claim
            ended_well = claim.is_over
        finally:
            if not ended_well:
                await self._claims.give_up(claim)

    async def put(self, key: str, source: BinaryIO) -> None:
        """Store all of `source`, unless it is there; acknowledged by S3 when this returns."""
        name = self._name(key)
        await self._calls.run(lambda: put(self._calls, name, key.rpartition("/")[2], source), PUT_SECONDS)
        self._written_at = time.monotonic()

    async def read(self, key: str) -> bytes:
        """All bytes; raises `BlobMissing`."""
        return b"".join([piece async for piece in self.stream(key)])

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in pieces, each fetched when it is asked for; raises `BlobMissing` at the first."""
        name, start = self._name(key), 0
        while True:
            piece, size = await self._calls.run(lambda at=start: self._piece(name, at), self._seconds)  # type: ignore[misc]
            start += len(piece)
            if piece:
                yield piece
            if start >= size:
                return

    async def exists(self, key: str) -> bool:
        """Whether the bytes are there."""
        name = self._name(key)
        try:
            await self._calls.run(
                lambda: self._calls.patient.head_object(Bucket=self._calls.bucket, Key=name), self._seconds
            )
        except BlobMissing:
            return False
        return True

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """A copy, checked against its digest."""
        await asyncio.to_thread(self._scratch.mkdir, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._scratch)
        path = Path(name)
        try:
            digest = hashlib.sha256()
            with os.fdopen(descriptor, "wb") as file:
                async for piece in self.stream(key):
                    digest.update(piece)
                    await asyncio.to_thread(file.write, piece)
            if digest.hexdigest() != key.rpartition("/")[2]:
                log.error("the blob store holds other bytes than were put", key=key)
                raise BlobMissing
            yield path
        finally:
            path.unlink(missing_ok=True)  # noqa: ASYNC240  # at once, also while this is cancelled

    async def remove_unless(self, key: str, wanted: Callable[[], Awaitable[bool]]) -> None:
        """Ask and remove under a claim that stands against everybody who keeps these bytes.

        A removal of which nobody knows whether it was carried out may yet be: then its claim stands until it ends.
        """
        name = self._name(key)
        try:
            claim = await self._claims.remove(key)
        except BlobBusy:
            log.warning("bytes are being stored anew and stay", key=key)
            return
        is_over = True
        try:
            if not await wanted():
                if self._claims.left(claim) < SURE_SECONDS:
                    log.warning("too late to remove bytes; they stay", key=key)
                    return
                is_over = False
                await self._delete(name)
                is_over = True
        except BlobStoreAway as away:
            is_over = is_over or away.settled
            raise
        finally:
            if is_over:
                await self._claims.give_up(claim)

    async def remove_tenant(self, tenant: str) -> None:
        """Remove all that is under its name, unfinished uploads too."""
        prefix = self._name(f"{tenant}/{'0' * 64}").rpartition("/")[0] + "/"
        await self._claims.delete_claims(tenant)
        await self._abort(prefix, datetime.now(UTC))
        while names := [each["Key"] for each in await self._page(prefix, "")]:
            await self._calls.run(lambda gone=names: self._delete_many(gone), self._seconds)  # type: ignore[misc]

    async def old_keys(self, seconds: float) -> AsyncIterator[list[str]]:
        """A page at a time; what broken-off uploads and dead readers left since is removed."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        await asyncio.to_thread(_clear, self._scratch, before.timestamp())
        await self._claims.prune_claims()
        await self._abort(self._prefix, before)
        after = ""
        while page := await self._page(self._prefix, after):
            after = page[-1]["Key"]
            old = [each["Key"].removeprefix(self._prefix) for each in page if each["LastModified"] < before]
            yield [key for key in old if KEY.fullmatch(key)]

    async def probe(self) -> None:
        """Ask for the bucket; once a minute write a small object, unless something was written anyway."""
        client, bucket = self._calls.quick, self._calls.bucket
        if time.monotonic() - self._written_at < WRITTEN_SECONDS:
            try:
                await self._calls.run(lambda: client.head_bucket(Bucket=bucket), 2 * QUICK_SECONDS)
            except BlobMissing:
                raise BlobStoreAway("has no such bucket (INGEST_BLOBS_URL)") from None
            return
        name = f"{self._prefix}.probe"
        await self._calls.run(lambda: client.put_object(Bucket=bucket, Key=name, Body=b""), 2 * QUICK_SECONDS)
        self._written_at = time.monotonic()

    async def concern(self) -> str:
        """A bucket that keeps what is deleted as older versions, as far as we may know."""
        client, bucket = self._calls.patient, self._calls.bucket
        try:
            answer = await self._calls.run(lambda: client.get_bucket_versioning(Bucket=bucket), self._seconds)
        except BlobStoreAway:  # these credentials may not ask, or the server does not know the question
            return ""
        return VERSIONS if answer.get("Status") == "Enabled" else ""

    def _name(self, key: str) -> str:
        if not KEY.fullmatch(key):
            raise ValueError(f"not a blob key: {key!r}")
        return f"{self._prefix}{key}"

    def _piece(self, name: str, start: int) -> tuple[bytes, int]:
        """Bytes from `start` on, and how many there are in all."""
        client, where = self._calls.patient, {"Bucket": self._calls.bucket, "Key": name}
        for left in reversed(range(ATTEMPTS)):
            try:
                answer = client.get_object(**where, Range=f"bytes={start}-{start + PIECE - 1}")
            except ClientError as error:
                if code_of(error) == "InvalidRange":  # an empty object has no range
                    return b"", 0
                raise
            try:
                piece: bytes = answer["Body"].read()
            except BotoCoreError:  # botocore tries calls again, but not what breaks off in an answer
                if not left:
                    raise
                continue
            content_range = answer.get("ContentRange")  # some servers have none for an empty object
            return piece, int(content_range.rpartition("/")[2]) if content_range else len(piece)
        raise AssertionError

    async def _delete(self, name: str) -> None:
        client, bucket = self._calls.quick, self._calls.bucket
        await self._calls.run(lambda: client.delete_object(Bucket=bucket, Key=name), 2 * QUICK_SECONDS)

    def _delete_many(self, names: list[str]) -> None:
        wanted = {"Objects": [{"Key": name} for name in names], "Quiet": True}
        answer = self._calls.patient.delete_objects(Bucket=self._calls.bucket, Delete=wanted)
        if answer.get("Errors"):
            log.warning("objects could not be removed", first=answer["Errors"][0], count=len(answer["Errors"]))
            raise BlobStoreAway("did not remove all that it was told to")

    async def _page(self, prefix: str, after: str) -> list[dict[str, Any]]:
        client, where = self._calls.patient, {"Bucket": self._calls.bucket, "Prefix": prefix}
        answer = await self._calls.run(
            lambda: client.list_objects_v2(**where, StartAfter=after, MaxKeys=AT_ONCE), self._seconds
        )
        return list(answer.get("Contents", []))

    async def _abort(self, prefix: str, before: datetime) -> None:
        """Remove the parts of uploads that were begun before then and never finished."""
        client, where = self._calls.patient, {"Bucket": self._calls.bucket}

        def aborted() -> None:
            pages = client.get_paginator("list_multipart_uploads").paginate(**where, Prefix=prefix)
            for upload in [upload for page in pages for upload in page.get("Uploads", [])]:
                if upload["Initiated"] < before:
                    abort(self._calls, upload["Key"], upload["UploadId"])

        await self._calls.run(aborted, PUT_SECONDS)


def _clear(scratch: Path, before: float) -> None:
    """Remove copies whose readers died."""
    for path in scratch.glob("*"):
        try:
            if path.stat().st_mtime < before:
                path.unlink()
        except FileNotFoundError:
            continue
