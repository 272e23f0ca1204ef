"""The ledger on PostgreSQL, where statements run at the same time: several workers, one truth."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, func, select
from tests.support.home.postgres import postgres_installed, temporary_postgres
from tests.support.ingest.peers import minilm_tokenizer

from contracts.retrieval.collections import CollectionCreate
from extraction.chunking.tokens import Tokens
from ingest.blobs.memory import MemoryBlobs
from ingest.bootstrap import assemble
from ingest.dependencies import Dependencies
from ingest.documents.collections import add_collection
from ingest.documents.uploads import Accepted, Upload, accept
from ingest.export.backup import BackupService
from ingest.jobs import service as jobs
from ingest.settings import IngestSettings
from ingest.stores import MIGRATIONS
from ingest.tables import ANSWERS, BACKUP_LOCK, DOCUMENTS, JOBS, metadata
from ingest.testing.gateway import MemoryPlatform
from ingest.testing.index import MemoryIndex
from ingest.testing.notifier import MemoryNotifier
from ingest.testing.tokens import FixedTokenizers, FixedTokens
from ingest.worker.bootstrap import WorkerDependencies, assemble_worker
from servicekit.backup.file import BackupFile, about
from servicekit.core.clock import SystemClock
from servicekit.jobs.tables import JobOwner
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate
from servicekit.web.idempotency import CallKey, IdempotencyRunning

pytestmark = pytest.mark.skipif(not postgres_installed(), reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with temporary_postgres() as url:
        yield url


class Bench:
    """An API and workers over one PostgreSQL."""

    def __init__(self, api: Dependencies, workers: list[WorkerDependencies], index: MemoryIndex) -> None:
        self.api, self.workers, self.index = api, workers, index

    async def upload(self, text: str, **given: Any) -> Accepted:
        digest = hashlib.sha256(text.encode()).hexdigest()
        facts = {"collection": "handbook", "document_id": None, "title": None, "metadata": {"a": 1}, **given}
        tenant = facts.pop("tenant", "acme")
        upload = Upload(
            JobOwner(tenant, "key", "req", "grant"),
            fallback_title="doc",
            source="doc.txt",
            media_type="text/plain",
            bytes=len(text),
            sha256=digest,
            blob_key=f"{tenant}/{digest}",
            **facts,
        )
        await self.api.blobs.put(upload.blob_key, io.BytesIO(text.encode()))
        async with self.api.database.write() as connection:
            return await accept(connection, upload, self.api.clock.now())

    async def work(self, worker: WorkerDependencies) -> int:
        done = 0
        while (claimed := await worker.queue.claim(f"worker-{id(worker)}")) is not None:
            await worker.runner.run(claimed, asyncio.Event())
            done += 1
        return done


@pytest.fixture
async def bench(url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    database = Database.open(SecretStr(url), tmp_path, "ingest")
    await migrate(database, MIGRATIONS)
    async with database.write() as connection:
        for table in ("parts", "revisions", "jobs", "documents", "collections", "idempotency"):
            await connection.execute(delete(metadata.tables[table]))
    blobs, index, clock = MemoryBlobs(), MemoryIndex(), SystemClock()
    settings = IngestSettings(data_dir=tmp_path)
    tokenizers = FixedTokenizers(Tokens.from_json(minilm_tokenizer()))
    await index.create_collection("", CollectionCreate(name="handbook"))
    await add_collection(database, "acme", "handbook")
    await add_collection(database, "globex", "handbook")
    workers = [
        assemble_worker(settings, database, blobs, index, FixedTokens(), tokenizers, MemoryPlatform(), clock)
        for _ in range(3)
    ]
    yield Bench(assemble(settings, database, blobs, index, MemoryNotifier(), clock), workers, index)
    for worker in workers:
        worker.close()
    await database.close()


async def test_fifty_uploads_of_one_file_at_once_make_one_document_and_one_job(bench: Bench) -> None:
    accepted = await asyncio.gather(*(bench.upload("same") for _ in range(50)))
    assert sum(not each.unchanged for each in accepted) == 1
    async with bench.api.database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(DOCUMENTS))).scalar_one() == 1
        assert (await connection.execute(select(func.count()).select_from(JOBS))).scalar_one() == 1


async def test_revisions_that_arrive_at_once_get_numbers_of_their_own(bench: Bench) -> None:
    accepted = await asyncio.gather(*(bench.upload(f"text {number}", document_id="a") for number in range(12)))
    assert sorted(each.document["revision"] for each in accepted) == list(range(1, 13))


async def test_three_workers_share_the_jobs_and_each_runs_once(bench: Bench) -> None:
    for number in range(12):
        await bench.upload(f"text {number}", document_id=f"d{number}")
    done = await asyncio.gather(*(bench.work(worker) for worker in bench.workers))
    while await bench.work(bench.workers[0]):  # what was locked by another at the moment of the last look
        done[0] += 1
    assert sum(done) == 12
    assert sorted(document for document, _, _ in bench.index.batches) == sorted(f"d{number}" for number in range(12))
    async with bench.api.database.read() as connection:
        rows = (await connection.execute(select(JOBS.c.status, JOBS.c.attempts))).all()
    assert [tuple(row) for row in rows] == [("ready", 1)] * 12


async def test_tenants_take_turns_and_jobs_tell_their_place(bench: Bench) -> None:
    for number in range(10):
        await bench.upload(f"text {number}")
    theirs = await bench.upload("theirs", tenant="globex")
    async with bench.api.database.read() as connection:
        now = bench.api.clock.now()
        job = await jobs.describe_job(connection, await jobs.get_job(connection, "globex", theirs.job["id"]), now)
    assert job.queue_position in (1, 2)
    queue = bench.workers[0].queue
    claimed = [await queue.claim("worker") for _ in range(2)]
    assert sorted(each.tenant for each in claimed if each) == ["acme", "globex"]


async def test_a_document_and_a_collection_are_deleted_and_listed(bench: Bench) -> None:
    await bench.upload("one", document_id="a")
    await bench.upload("two", document_id="b", title="50 % off")
    await bench.work(bench.workers[0])
    job_owner = JobOwner("acme", "key", "req", "grant")
    await bench.api.deletions.delete_document(job_owner, "token", "handbook", "a")
    again = await bench.upload("one", document_id="a")
    assert again.document["revision"] == 2
    await bench.api.deletions.delete_collection(job_owner, "token", "handbook")
    async with bench.api.database.read() as connection:
        left = select(func.count()).select_from(DOCUMENTS).where(DOCUMENTS.c.tenant == "acme")
        assert (await connection.execute(left)).scalar_one() == 0


async def test_of_two_calls_with_one_idempotency_key_one_runs(bench: Bench) -> None:
    call, now = CallKey("key", "route", "once"), bench.api.clock.now()

    async def begin() -> Any:
        async with bench.api.database.write() as connection:
            return await ANSWERS.begin(connection, call, "print", now)

    results = await asyncio.gather(*(begin() for _ in range(4)), return_exceptions=True)
    assert sum(each is None for each in results) == 1
    assert sum(isinstance(each, IdempotencyRunning) for each in results) == 3


async def test_a_backup_is_of_one_moment_while_workers_write(bench: Bench, tmp_path: Path) -> None:
    """What it says of a document and of its job fit each other, and all bytes that it names are in it."""
    for number in range(20):
        await bench.upload(f"text {number}", document_id=f"d{number}")
    working = [asyncio.create_task(bench.work(worker)) for worker in bench.workers]
    backups, files = BackupService(bench.api.database, bench.api.blobs, bench.index), []
    while not all(task.done() for task in working) or not files:
        file = BackupFile(tmp_path / f"backup-{len(files)}")
        async with backups.opened("token") as pieces:
            parts = [piece async for piece in pieces]
        file.path.write_bytes(b"".join([*parts, about("0", bench.api.clock.now(), ["ingest", "retriever"])]))
        file.check()
        files.append(file)
    await asyncio.gather(*working)
    for file in files:
        rows = {table: _rows(file, table) for table in ("documents", "jobs", "revisions", "parts")}
        documents = {row["key"]: row for row in rows["documents"]}
        assert len(documents) == 20
        for job in rows["jobs"]:
            assert (job["status"] == "ready") == (documents[job["document_key"]]["status"] == "ready")
        named = {row["blob_key"] for row in rows["revisions"]}
        named |= {row[name] for row in rows["parts"] for name in ("text_key", "structure_key")}
        assert {name for name, _ in file.members("ingest/blobs/")} == named
    async with bench.api.database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(BACKUP_LOCK))).scalar_one() == 0


def _rows(file: BackupFile, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for _, content in file.members(f"ingest/sql/{table}/") for line in content]
