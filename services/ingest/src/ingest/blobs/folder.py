"""Blobs in a folder: `<root>/<tenant>/<first two hex digits>/<sha256>`.

A blob is written to a temporary file, synced, renamed, and its folder synced: it is there whole or not at all.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import structlog

from ingest.blobs.memory import Locked
from ingest.errors import BlobBusy, BlobMissing
from ingest.ports import Kept
from servicekit.core.durable import sync, to_disk

log = structlog.get_logger(__name__)
PIECE = 256 * 1024
LOCKS = ".locks"
GONE = ".gone-"
LOCK_SECONDS = 10.0
LOCK_PAUSE = 0.005
KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}/[0-9a-f]{64}")


class FolderBlobs:
    """A `BlobStore` on a local or shared file system."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @asynccontextmanager
    async def keeping(self, *keys: str) -> AsyncIterator[Kept]:
        """Share the locks that removals need alone, at most 256; raises `BlobBusy` if a removal hangs."""
        folders = {path.parent.name: path for path in map(self._path, keys)}
        async with AsyncExitStack() as held:
            for name in sorted(folders):
                await held.enter_async_context(self._locked(folders[name], fcntl.LOCK_SH))
            yield Locked()

    async def put(self, key: str, source: BinaryIO) -> None:
        """Store all of `source`; on disk when this returns."""
        await asyncio.to_thread(self._put, self._path(key), source)

    async def read(self, key: str) -> bytes:
        """All bytes; raises `BlobMissing`."""
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except FileNotFoundError:
            raise BlobMissing from None

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in pieces; raises `BlobMissing` at the first."""
        try:
            file = await asyncio.to_thread(self._path(key).open, "rb")
        except FileNotFoundError:
            raise BlobMissing from None
        try:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece
        finally:
            file.close()

    async def exists(self, key: str) -> bool:
        """Whether the bytes are there."""
        return await asyncio.to_thread(self._path(key).is_file)

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """The blob's own file."""
        if not await self.exists(key):
            raise BlobMissing
        yield self._path(key)

    async def remove_unless(self, key: str, wanted: Callable[[], Awaitable[bool]]) -> None:
        """Ask and remove under the lock that whoever puts these bytes shares until its row is committed."""
        path = self._path(key)
        try:
            async with self._locked(path, fcntl.LOCK_EX):
                if not await wanted():
                    await asyncio.to_thread(path.unlink, missing_ok=True)
        except BlobBusy:
            log.warning("bytes are being stored anew and stay", key=key)

    async def remove_tenant(self, tenant: str) -> None:
        """Move its folder away, so that a late reader finds nothing, and remove it."""
        await asyncio.to_thread(self._remove_tenant, self._path(f"{tenant}/{'0' * 64}").parent.parent)

    async def old_keys(self, seconds: float) -> AsyncIterator[list[str]]:
        """A folder at a time; half-written files of that age are removed."""
        before = time.time() - seconds
        for folder in await asyncio.to_thread(lambda: sorted(self._root.glob("[!.]*/??"))):
            yield await asyncio.to_thread(_old, folder, before)

    async def probe(self) -> None:
        """Write and remove a small file."""
        await asyncio.to_thread(self._probe)

    async def concern(self) -> str:
        """None."""
        return ""

    @asynccontextmanager
    async def _locked(self, path: Path, how: int) -> AsyncIterator[None]:
        """A lock file stands for all bytes whose digests begin alike; the system frees the locks of a dead process."""
        lock = self._root / LOCKS / path.parent.name
        descriptor = await asyncio.to_thread(_open_lock, lock)
        try:
            try:
                async with asyncio.timeout(LOCK_SECONDS):
                    while not _lock(descriptor, how):  # noqa: ASYNC110  # held by another process: there is no event
                        await asyncio.sleep(LOCK_PAUSE)
            except TimeoutError:
                raise BlobBusy from None
            yield
        finally:
            os.close(descriptor)

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError(f"not a blob key: {key!r}")
        tenant, digest = key.split("/")
        return self._root / tenant / digest[:2] / digest

    def _put(self, path: Path, source: BinaryIO) -> None:
        if path.is_file():
            sync(path.parent)  # whoever put it may not have come to that yet
            return
        created = [folder for folder in (path.parent, path.parent.parent, self._root) if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with temporary.open("xb") as file:
                source.seek(0)
                shutil.copyfileobj(source, file, PIECE)
                to_disk(file)
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        for folder in {path.parent, *(folder.parent for folder in created)}:
            sync(folder)

    def _remove_tenant(self, folder: Path) -> None:
        if folder.is_dir():
            folder.rename(self._root / f"{GONE}{secrets.token_hex(8)}")
            sync(self._root)
        for gone in self._root.glob(f"{GONE}*"):  # also what was cut off here before
            shutil.rmtree(gone, ignore_errors=True)

    def _probe(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        probe = self._root / f".probe-{secrets.token_hex(4)}"
        try:
            probe.write_bytes(b"ok")
        finally:
            probe.unlink(missing_ok=True)


def _old(folder: Path, before: float) -> list[str]:
    keys = []
    for path in folder.iterdir():
        try:
            is_old = path.stat().st_mtime < before
        except FileNotFoundError:
            continue
        if is_old and path.name.startswith("."):
            path.unlink(missing_ok=True)
        elif is_old and KEY.fullmatch(key := f"{folder.parent.name}/{path.name}"):
            keys.append(key)
    return keys


def _open_lock(lock: Path) -> int:
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
