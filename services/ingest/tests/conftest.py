"""Fixtures of ingest's unit tests: the service over shipped fakes, SQLite in a temporary folder, a manual clock."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_socket import disable_socket
from sqlalchemy import RowMapping
from tests.support.inference.tokenizers import word_pieces
from tests.support.sql.migrated import open_migrated

from contracts.documents.jobs import Job
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch
from contracts.retrieval.collections import CollectionCreate
from extraction.chunking.tokens import Tokens
from ingest.blobs.memory import MemoryBlobs
from ingest.bootstrap import assemble
from ingest.dependencies import Dependencies
from ingest.documents import repository as documents
from ingest.documents.collections import add_collection
from ingest.documents.uploads import Accepted, Upload, accept
from ingest.jobs import service as jobs
from ingest.settings import IngestSettings
from ingest.stores import MIGRATIONS
from ingest.testing.gateway import MemoryPlatform
from ingest.testing.index import MemoryIndex
from ingest.testing.notifier import MemoryNotifier
from ingest.testing.tokens import FixedTokenizers, FixedTokens
from ingest.worker.bootstrap import WorkerDependencies, assemble_worker
from servicekit.core.clock import ManualClock
from servicekit.jobs.tables import JobOwner
from servicekit.sql.database import Database


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture(scope="session")
def tokens() -> Tokens:
    return Tokens(word_pieces())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@dataclass
class Service:
    """The API's and a worker's domain over the same fakes."""

    api: Dependencies
    worker: WorkerDependencies
    index: MemoryIndex
    notifier: MemoryNotifier
    blobs: MemoryBlobs
    token_source: FixedTokens
    clock: ManualClock

    @property
    def database(self) -> Database:
        return self.api.database

    def job_owner(self, tenant: str = "acme") -> JobOwner:
        return JobOwner(tenant, f"key-{tenant}", "req_1", f"grant-{tenant}")

    async def upload(self, content: bytes | str = "The word.", **given: Any) -> Accepted:
        """Take a document in as the route does, without HTTP."""
        body = content.encode() if isinstance(content, str) else content
        tenant = given.pop("tenant", "acme")
        digest = hashlib.sha256(body).hexdigest()
        facts = {"collection": "handbook", "document_id": None, "title": None, "fallback_title": "doc"}
        facts |= {"source": "doc.txt", "media_type": "text/plain", "metadata": {}} | given
        upload = Upload(
            job_owner=self.job_owner(tenant), bytes=len(body), sha256=digest, blob_key=f"{tenant}/{digest}", **facts
        )
        await self.blobs.put(upload.blob_key, io.BytesIO(body))
        async with self.database.write() as connection:
            return await accept(connection, upload, self.clock.now())

    async def work(self, *, stopping: asyncio.Event | None = None) -> bool:
        """Let a worker claim and run one job; whether there was one."""
        claimed = await self.worker.queue.claim("worker")
        if claimed is None:
            return False
        await self.worker.runner.run(claimed, stopping or asyncio.Event())
        return True

    async def work_all(self) -> None:
        while await self.work():
            pass

    async def work_until_killed(self, at: Callable[[ChunkBatch], bool], patch: pytest.MonkeyPatch) -> None:
        """Let a worker claim the next job, and die while a batch that `at` picks is on its way: nothing is settled."""
        claimed = await self.worker.queue.claim("doomed")
        assert claimed is not None
        reached, original = asyncio.Event(), self.index.put_chunks

        async def hang(
            token: str, collection: str, document: str, revision: int, batch: ChunkBatch, layout: int
        ) -> BatchIndexed:
            if at(batch):
                reached.set()
                await asyncio.Event().wait()
            return await original(token, collection, document, revision, batch, layout)

        with patch.context() as inner:
            inner.setattr(self.index, "put_chunks", hang)
            working = asyncio.create_task(self.worker.kind.run(claimed))
            async with asyncio.timeout(60):
                await reached.wait()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def document(self, document_id: str, tenant: str = "acme") -> RowMapping:
        async with self.database.read() as connection:
            return await documents.get_document(connection, tenant, "handbook", document_id)

    async def text(self, document_id: str) -> str:
        async with self.database.read() as connection:
            row = await documents.get_document(connection, "acme", "handbook", document_id)
            parts = await documents.list_text_parts(connection, row, None)
        return b"".join([piece async for piece in documents.stream_text(self.blobs, parts)]).decode()

    async def job(self, job_id: str, tenant: str = "acme") -> Job:
        async with self.database.read() as connection:
            return await jobs.describe_job(connection, await jobs.get_job(connection, tenant, job_id), self.clock.now())

    async def collection(self, name: str = "handbook", tenant: str = "acme") -> None:
        if name not in self.index.kept:
            await self.index.create_collection("token", CollectionCreate(name=name))
        await add_collection(self.database, tenant, name)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_migrated(tmp_path, "ingest", MIGRATIONS)
    yield database
    await database.close()


@pytest.fixture
async def service(tmp_path: Path, database: Database, clock: ManualClock, tokens: Tokens) -> AsyncIterator[Service]:
    settings = IngestSettings(data_dir=tmp_path, batch_chunks=2, poll_seconds=0.05, lease_seconds=30)
    blobs, index, notifier, token_source = MemoryBlobs(), MemoryIndex(), MemoryNotifier(), FixedTokens()
    api = assemble(settings, database, blobs, index, notifier, clock)
    tokenizers = FixedTokenizers(tokens)
    worker = assemble_worker(settings, database, blobs, index, token_source, tokenizers, MemoryPlatform(), clock)
    service = Service(api, worker, index, notifier, blobs, token_source, clock)
    await service.collection()
    yield service
    worker.close()
    api.archives.close()
    api.pictures.close()
