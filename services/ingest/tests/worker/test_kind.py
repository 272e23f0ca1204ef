from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from contracts.core.errors import ErrorBody
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch
from ingest.jobs import service as jobs
from ingest.jobs.cleanup import has_chunks_in_index
from ingest.tables import JOBS
from ingest.testing.tokens import budget_exceeded
from servicekit.core.disk import DiskRoom
from servicekit.core.errors import PeerError
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner
from servicekit.peers.client import PeerUnreachable
from servicekit.sql.database import rows_of

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

TEXT = "\n\n".join(f"Paragraph {number}. " + "the word and the price " * 30 for number in range(10))
Hook = Callable[[str, int, ChunkBatch], Awaitable[None]]


def before_each_batch(service: Service, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run something each time that a batch is about to reach the index."""
    original = service.index.put_chunks

    async def put(
        token: str, collection: str, document_id: str, revision: int, batch: ChunkBatch, layout: int
    ) -> BatchIndexed:
        await hook(document_id, revision, batch)
        return await original(token, collection, document_id, revision, batch, layout)

    monkeypatch.setattr(service.index, "put_chunks", put)


async def test_a_document_becomes_ready_with_chunks_that_are_slices_of_its_text(service: Service) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    await service.work_all()
    document = await service.document("a")
    found = service.index.found("handbook", "a")
    assert (document["status"], document["chunks"]) == ("ready", len(found))
    assert len(service.index.batches) == -(-len(found) // 2)
    text = await service.text("a")
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in found)
    assert accepted.job is not None
    job = await service.job(accepted.job["id"])
    assert (job.status, job.stage, job.progress, job.attempts) == ("ready", "done", 1.0, 1)
    assert set(job.timings) == {"parsing", "chunking", "indexing", "committing"}


async def test_a_job_of_a_kind_that_another_release_has_is_left_for_it_and_deletes_nothing(service: Service) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    before = service.index.found("handbook", "a")
    async with service.database.write() as connection:
        again = {
            "kind": "of_tomorrow",
            "status": "queued",
            "stage": "queued",
            "finished_at": None,
            "grant_token": "grant",
        }
        await connection.execute(update(JOBS).values(**again))
    await service.work_all()
    row = (await service.database.read(rows_of(select(JOBS))))[0]
    assert (row["status"], row["kind"]) == ("queued", "of_tomorrow")
    assert service.index.found("handbook", "a") == before != []


async def test_a_job_waits_while_a_budget_is_spent_says_so_and_goes_on_by_itself(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None
    refused: list[int] = []

    async def spent(document_id: str, revision: int, batch: ChunkBatch) -> None:
        if service.token_source.spent and batch.chunks[0].ordinal >= 4:
            refused.append(batch.chunks[0].ordinal)
            raise budget_exceeded()  # the gateway's, which makes the embeddings

    before_each_batch(service, spent, monkeypatch)
    service.token_source.spent = True
    for _ in range(40):  # far longer than one waits for a service that is away
        await service.work()
        job = await service.job(accepted.job["id"])
        assert (job.status, job.waiting_on, job.attempts) == ("queued", "budget", 0)
        service.clock.advance(3600)
    assert 1 <= len(refused) <= 2, "after that it is asked before anything is read or sent"
    service.token_source.spent = False
    await service.work_all()
    assert (await service.job(accepted.job["id"])).status == "ready"


async def test_a_job_that_waits_for_a_budget_can_be_cancelled(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None

    async def spent(document_id: str, revision: int, batch: ChunkBatch) -> None:
        raise budget_exceeded()

    before_each_batch(service, spent, monkeypatch)
    await service.work()
    assert (await service.job(accepted.job["id"])).waiting_on == "budget"
    async with service.database.write() as connection:
        found = await jobs.get_job(connection, "acme", accepted.job["id"])
        await jobs.cancel_job(connection, found, service.clock.now())
    service.clock.advance(3600)
    await service.work_all()
    assert (await service.job(accepted.job["id"])).status == "cancelled"


async def test_a_job_whose_worker_died_goes_on_from_its_last_batch(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_until_killed(lambda batch: batch.chunks[0].ordinal == 6, monkeypatch)
    assert await service.work() is False  # the lease is still held
    service.clock.advance(31)
    before = {first for _, _, first in service.index.batches}
    await service.work_all()
    firsts = [first for _, _, first in service.index.batches]
    assert firsts[:2] == [0, 2]
    again = {first for first in before if firsts.count(first) > 1}
    assert again <= {4}, "what was entered is not sent again"
    assert [chunk.ordinal for chunk in service.index.found("handbook", "a")] == list(range(max(firsts) + 2))
    assert (await service.document("a"))["status"] == "ready"


async def test_a_worker_that_was_thought_dead_changes_nothing(service: Service) -> None:
    accepted = await service.upload("the word", document_id="a")
    late = await service.worker.queue.claim("late")
    assert late is not None
    service.clock.advance(31)
    await service.work_all()
    await service.worker.runner.run(late, asyncio.Event())
    assert accepted.job is not None
    assert (await service.job(accepted.job["id"])).status == "ready"


async def test_a_service_that_is_away_costs_no_attempt(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = await service.upload("the word", document_id="a")
    away = True

    async def fail(document_id: str, revision: int, batch: ChunkBatch) -> None:
        if away:
            raise PeerUnreachable("retriever")

    before_each_batch(service, fail, monkeypatch)
    assert accepted.job is not None
    for _ in range(12):
        await service.work()
        job = await service.job(accepted.job["id"])
        assert (job.status, job.waiting_on, job.attempts) == ("queued", "retriever", 0)
        service.clock.advance(31)
    away = False
    await service.work_all()
    assert (await service.job(accepted.job["id"])).status == "ready"


async def test_a_service_that_stays_away_fails_the_job_in_the_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await service.upload("the word", document_id="a")

    async def fail(document_id: str, revision: int, batch: ChunkBatch) -> None:
        raise PeerUnreachable("retriever")

    before_each_batch(service, fail, monkeypatch)
    await service.work()
    service.clock.advance(25 * 3600)
    await service.work()
    assert accepted.job is not None
    job = await service.job(accepted.job["id"])
    assert (job.status, job.error and job.error.code, job.error and job.error.retryable) == (
        "failed",
        "retriever_unavailable",
        True,
    )


async def test_a_job_that_never_gets_further_fails_after_its_attempts(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await service.upload(TEXT, document_id="a")

    async def break_down(document_id: str, revision: int, batch: ChunkBatch) -> None:
        if batch.chunks[0].ordinal == 2:
            raise RuntimeError("a bug")

    before_each_batch(service, break_down, monkeypatch)
    for _ in range(8):
        await service.work()
        service.clock.advance(400)
    assert accepted.job is not None
    job = await service.job(accepted.job["id"])
    assert (job.status, job.error and job.error.code) == ("failed", "attempts_exhausted")
    assert service.index.found("handbook", "a") == []  # half a document is not found


async def test_cancel_stops_a_running_job_between_two_batches(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None
    job_id = accepted.job["id"]

    async def cancel(document_id: str, revision: int, batch: ChunkBatch) -> None:
        if batch.chunks[0].ordinal == 2:
            row = await _row(service, job_id)
            async with service.database.write() as connection:
                await jobs.cancel_job(connection, row, service.clock.now())

    before_each_batch(service, cancel, monkeypatch)
    await service.work_all()
    assert [first for _, _, first in service.index.batches] in ([0, 2], [0, 2, 4], [0, 4, 2]), "what was under way"
    assert (await service.job(job_id)).status == "cancelled"
    assert (await service.document("a"))["status"] == "cancelled"
    async with service.database.read() as connection:
        row = await _row(service, job_id)
        assert await has_chunks_in_index(connection, row["document_key"], row["revision"])


async def test_a_late_batch_cannot_bring_a_deleted_document_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")

    async def delete(document_id: str, revision: int, batch: ChunkBatch) -> None:
        if batch.chunks[0].ordinal == 2:
            await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")

    before_each_batch(service, delete, monkeypatch)
    await service.work_all()
    assert service.index.found("handbook", "a") == []


async def test_chunks_that_the_index_lost_are_sent_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    await service.upload(TEXT, document_id="a")

    async def lose(document_id: str, revision: int, batch: ChunkBatch) -> None:
        if len(service.index.batches) == 2:
            service.index.documents["handbook", "a"].revisions[1].clear()

    before_each_batch(service, lose, monkeypatch)
    await service.work()
    service.clock.advance(60)
    await service.work_all()
    assert (await service.document("a"))["status"] == "ready"


async def test_a_stopping_worker_gives_its_job_back_at_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = await service.upload(TEXT, document_id="a")
    stopping = asyncio.Event()

    async def stop(document_id: str, revision: int, batch: ChunkBatch) -> None:
        stopping.set()

    before_each_batch(service, stop, monkeypatch)
    await service.work(stopping=stopping)
    assert accepted.job is not None
    job = await service.job(accepted.job["id"])
    assert (job.status, job.attempts) == ("queued", 0)
    assert 1 <= len(service.index.batches) <= 2, "what was under way"
    await service.work_all()
    assert (await service.document("a"))["status"] == "ready"
    firsts = [first for _, _, first in service.index.batches]
    assert firsts == sorted(set(firsts)), "what was under way was entered"


async def test_tenants_take_turns(service: Service) -> None:
    await service.collection("handbook", tenant="globex")
    for number in range(50):
        await service.upload(f"text {number}")
    service.clock.advance(1)
    await service.upload("one document", tenant="globex")
    order = []
    for _ in range(4):
        claimed = await service.worker.queue.claim("worker")
        assert claimed is not None
        order.append(claimed.row["tenant"])
        service.clock.advance(0.01)
    assert order == ["acme", "globex", "acme", "acme"]


async def test_an_unusable_batch_fails_the_job_with_the_indexs_own_words(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload("the word", document_id="a")

    async def refuse(document_id: str, revision: int, batch: ChunkBatch) -> None:
        raise PeerError(400, ErrorBody(type="invalid_request", code="metadata_unusable", message="Too deep."))

    before_each_batch(service, refuse, monkeypatch)
    await service.work_all()
    assert (await service.document("a"))["error"] == {
        "code": "metadata_unusable",
        "message": "Too deep.",
        "retryable": False,
    }


async def _row(service: Service, job_id: str) -> Any:
    async with service.database.read() as connection:
        return (await connection.execute(select(JOBS).where(JOBS.c.id == job_id))).mappings().one()


async def test_a_job_waits_while_the_disk_is_full_and_goes_on_when_there_is_room(
    service: Service, tmp_path: Path
) -> None:
    accepted = await service.upload("The word.")
    assert accepted.job is not None
    worker = service.worker
    claimed = await worker.queue.claim("worker")
    assert claimed is not None
    full = Queue(worker.queue.store, replace(worker.kind, room=DiskRoom(tmp_path, 2**60)))
    await Runner(full).run(claimed, asyncio.Event())
    job = await service.job(accepted.job["id"])
    assert (job.status, job.waiting_on, job.attempts) == ("queued", "disk", 0)
    service.clock.advance(60)
    await service.work_all()
    assert (await service.job(accepted.job["id"])).status == "ready"
