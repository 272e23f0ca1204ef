"""Blobs in memory: for tests and for trying things out; gone when the process ends."""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from ingest.errors import BlobMissing
from ingest.ports import Kept
from servicekit.sql.transaction import Transaction


class Locked:
    """A `Kept` by a lock that lasts as long as its owner."""

    async def confirm(self, connection: Transaction) -> None:
        """Nothing can have been removed."""


class MemoryBlobs:
    """A `BlobStore` that keeps nothing."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def keeping(self, *keys: str) -> AsyncIterator[Kept]:
        """One at a time."""
        async with AsyncExitStack() as held:
            for key in sorted(set(keys)):
                await held.enter_async_context(self._locks[key])
            yield Locked()

    async def put(self, key: str, source: BinaryIO) -> None:
        """Keep all of `source`."""
        source.seek(0)
        self._blobs.setdefault(key, source.read())

    async def read(self, key: str) -> bytes:
        """All bytes; raises `BlobMissing`."""
        try:
            return self._blobs[key]
        except KeyError:
            raise BlobMissing from None

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in one piece."""
        yield await self.read(key)

    async def exists(self, key: str) -> bool:
        """Whether the bytes are there."""
        return key in self._blobs

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """A temporary copy."""
        content = await self.read(key)
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield Path(file.name)

    async def remove_unless(self, key: str, wanted: Callable[[], Awaitable[bool]]) -> None:
        """Ask and forget, one at a time with whoever keeps the bytes."""
        async with self._locks[key]:
            if not await wanted():
                self._blobs.pop(key, None)

    async def remove_tenant(self, tenant: str) -> None:
        """Forget them."""
        self._blobs = {key: content for key, content in self._blobs.items() if key.partition("/")[0] != tenant}

    async def old_keys(self, seconds: float) -> AsyncIterator[list[str]]:
        """All of them, whatever their age: nobody measures it here."""
        yield list(self._blobs)

    async def probe(self) -> None:
        """Memory always works."""

    async def concern(self) -> str:
        """None."""
        return ""
