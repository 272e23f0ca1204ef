"""Blobs in a folder: `<root>/<tenant>/<first two hex digits>/<sha256>`.

A blob is written to a temporary file, synced, renamed, and its folder synced: it is there whole or not at all.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from ingest.errors import BlobMissing

PIECE = 256 * 1024
KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}/[0-9a-f]{64}")


class FolderBlobs:
    """A `BlobStore` on a local or shared file system."""

    def __init__(self, root: Path) -> None:
        self._root = root

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
        """Move the bytes out of reach, ask, then remove them or put them back.

        Asking afterwards is what makes this safe: an upload that found the bytes before the move has committed its
        row by the time it looks again, and one that looks after the move stores them anew.
        """
        path = self._path(key)
        aside = path.with_name(f"{path.name}.leaving-{secrets.token_hex(4)}")
        try:
            await asyncio.to_thread(path.rename, aside)
        except FileNotFoundError:
            return
        if await wanted():
            await asyncio.to_thread(aside.rename, path)
        else:
            await asyncio.to_thread(aside.unlink)

    async def probe(self) -> None:
        """Write and remove a small file."""
        await asyncio.to_thread(self._probe)

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError(f"not a blob key: {key!r}")
        tenant, digest = key.split("/")
        return self._root / tenant / digest[:2] / digest

    def _put(self, path: Path, source: BinaryIO) -> None:
        if path.is_file():
            return
        created = [folder for folder in (path.parent, path.parent.parent, self._root) if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with temporary.open("xb") as file:
                source.seek(0)
                shutil.copyfileobj(source, file, PIECE)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        for folder in {path.parent, *(folder.parent for folder in created)}:
            _sync_folder(folder)

    def _probe(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        probe = self._root / f".probe-{secrets.token_hex(4)}"
        probe.write_bytes(b"ok")
        probe.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
