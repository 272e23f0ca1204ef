"""Two replicas over one PostgreSQL and one bucket: uploads and deletions of the same bytes at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from tests.support.home.postgres import postgres_installed, temporary_postgres
from tests.support.ingest.blob_conformance import CONTENT, KEY
from tests.support.ingest.s3_server import running_s3

from ingest.errors import BlobBusy
from ingest.ports import BlobStore
from ingest.settings import IngestSettings
from ingest.stores import MIGRATIONS, open_blobs
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

pytestmark = pytest.mark.skipif(not postgres_installed(), reason="PostgreSQL is not installed")
ROUNDS = 25


@dataclass
class Replica:
    """One process's view: a row of the table `named` stands for a revision that names the bytes."""

    database: Database
    blobs: BlobStore
    seen: dict[str, int] = field(default_factory=lambda: {"named": 0, "removed": 0})

    async def named(self) -> str | None:
        async with self.database.read() as connection:
            found: str | None = (await connection.execute(text("SELECT id FROM named"))).scalar()
        return found

    async def upload(self) -> None:
        """Once, though it may be refused before: the other replica is at work on the same bytes."""
        while True:
            with contextlib.suppress(BlobBusy):
                await self._upload()
                self.seen["named"] += 1
                return

    async def _upload(self) -> None:
        async with self.blobs.keeping(KEY) as kept:
            await self.blobs.put(KEY, io.BytesIO(CONTENT))
            async with self.database.write() as connection:
                add = text("INSERT INTO named VALUES (:key, :id) ON CONFLICT (key) DO UPDATE SET id = excluded.id")
                await connection.execute(add, {"key": KEY, "id": new_id("row")})
                await kept.confirm(connection)

    async def delete(self) -> None:
        async with self.database.write() as connection:
            await connection.execute(text("DELETE FROM named"))

        async def wanted() -> bool:
            return await self.named() is not None

        await self.blobs.remove_unless(KEY, wanted)
        self.seen["removed"] += not await self.blobs.exists(KEY)

    async def look(self) -> None:
        """A row that was there before and after names bytes that were there in between."""
        before = await self.named()
        there = await self.blobs.exists(KEY)
        if not there and before is not None:
            assert await self.named() != before, "bytes that a row names are gone"


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[list[Replica]]:
    with running_s3(tmp_path) as server, temporary_postgres() as url:
        given = {name.removeprefix("INGEST_").lower(): value for name, value in server.settings().items()}
        chosen: Any = IngestSettings(data_dir=tmp_path, **{**given, "s3_seconds": 60.0})
        async with AsyncExitStack() as stack:
            found = []
            for _ in range(2):
                database = Database.open(SecretStr(url), tmp_path, "ingest")
                stack.push_async_callback(database.close)
                await migrate(database, MIGRATIONS)
                found.append(Replica(database, await stack.enter_async_context(open_blobs(chosen, database))))
            async with found[0].database.write() as connection:
                await connection.execute(text("CREATE TABLE named (key VARCHAR PRIMARY KEY, id VARCHAR)"))
            yield found


async def test_bytes_that_a_row_names_are_never_gone(replicas: list[Replica]) -> None:
    async def many(act: Any) -> None:
        for _ in range(ROUNDS):
            await act()

    acts = [act for each in replicas for act in (each.upload, each.upload, each.delete, each.look)]
    await asyncio.gather(*map(many, acts))
    for each in replicas:
        await each.look()
    assert sum(each.seen["named"] for each in replicas) == 4 * ROUNDS
    assert sum(each.seen["removed"] for each in replicas) > 0, "the two did meet"
    await replicas[0].delete()
    assert not await replicas[1].blobs.exists(KEY)
