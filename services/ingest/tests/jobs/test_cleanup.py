"""However a document ends, the index and the ledger agree in the end: nothing half is found, nothing whole is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from contracts.core.errors import ErrorBody
from contracts.retrieval.chunks import CommitRequest, Committed
from ingest.documents.deletions import late_deletion_possible
from ingest.errors import JobCommitting
from ingest.jobs import service as jobs
from ingest.tables import JOBS
from servicekit.core.errors import PeerError
from servicekit.peers.client import PeerUnreachable

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

TEXT = "\n\n".join(f"Paragraph {number}. " + "the word and the price " * 30 for number in range(10))
BROKEN = {"content": b"%PDF-1.7 broken", "media_type": "application/pdf"}
Call = Callable[..., Awaitable[Any]]


def broken(call: str, service: Service, patch: pytest.MonkeyPatch, error: Callable[[], Exception]) -> None:
    """Let a call of the index fail."""

    async def fail(*_: Any, **__: Any) -> Any:
        raise error()

    patch.setattr(service.index, call, fail)


def internal() -> PeerError:
    return PeerError(500, ErrorBody(type="internal", code="internal", message="Broken."))


async def cut_short(service: Service, patch: pytest.MonkeyPatch, at: int = 4) -> None:
    """A worker claims the next job and dies while the batch with the chunk `at` is on its way."""
    await service.work_until_killed(lambda batch: batch.chunks[0].ordinal == at, patch)
    service.clock.advance(31)


async def work_for_days(service: Service, rounds: int = 40) -> None:
    """Work, with all pauses and waits over at once."""
    for _ in range(rounds):
        await service.work()
        service.clock.advance(3600)


async def statuses(service: Service, kind: str) -> list[str]:
    async with service.database.read() as connection:
        rows = await connection.execute(select(JOBS.c.status).where(JOBS.c.kind == kind).order_by(JOBS.c.id))
        return list(rows.scalars())


async def test_a_first_revisions_half_goes_when_the_next_one_fails(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await cut_short(service, monkeypatch)
    assert service.index.found("handbook", "a") != []
    await service.upload(document_id="a", **BROKEN)
    await service.work_all()
    assert (await service.document("a"))["status"] == "failed"
    assert service.index.found("handbook", "a") == []


async def test_what_a_failed_job_has_sent_goes_once_the_index_answers_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await cut_short(service, monkeypatch)
    with monkeypatch.context() as patch:
        for call in ("put_chunks", "delete_document", "get_collection"):
            broken(call, service, patch, internal)
        await work_for_days(service)
        assert (await service.document("a"))["status"] == "failed"
        assert service.index.found("handbook", "a") != []
        assert await statuses(service, "withdrawal") == ["queued"]
    await work_for_days(service, 2)
    assert service.index.found("handbook", "a") == []
    assert await statuses(service, "withdrawal") == ["ready"]


async def test_a_job_ends_though_the_whole_index_stays_away(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    await service.upload(TEXT, document_id="a")
    await cut_short(service, monkeypatch)
    with monkeypatch.context() as patch:
        for call in ("put_chunks", "delete_document", "get_collection", "commit"):
            broken(call, service, patch, lambda: PeerUnreachable("retriever"))
        await work_for_days(service)
    assert await statuses(service, "document") == ["failed"]


async def test_a_retry_that_failed_can_be_retried_too(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each has sent was fenced off when it failed, though only the first one has read anything."""
    accepted = await service.upload(TEXT, document_id="a")
    assert accepted.job is not None
    for _ in range(2):
        with monkeypatch.context() as patch:
            broken("commit", service, patch, internal)
            await work_for_days(service, 12)
        await service.work_all()
        assert await statuses(service, "document") == ["failed"]
        assert service.index.found("handbook", "a") == []
        async with service.database.write() as connection:
            row = await jobs.get_job(connection, "acme", accepted.job["id"])
            await jobs.retry_job(connection, row, service.job_owner(), service.clock.now())
    await service.work_all()
    document = await service.document("a")
    assert (document["status"], document["active_revision"]) == ("ready", 3)
    assert len(service.index.found("handbook", "a")) == document["chunks"]


async def test_an_index_that_always_loses_chunks_does_not_keep_a_job_for_ever(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    missing = ErrorBody(type="conflict", code="chunks_missing", message="Some are not there.")
    with monkeypatch.context() as patch:
        broken("commit", service, patch, lambda: PeerError(409, missing))
        await work_for_days(service, 12)
    assert await statuses(service, "document") == ["failed"]
    await service.work_all()
    assert service.index.found("handbook", "a") == []


async def test_a_deletion_is_carried_out_though_a_new_upload_came_before_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    with monkeypatch.context() as patch:
        broken("delete_document", service, patch, lambda: PeerUnreachable("retriever"))
        with pytest.raises(PeerUnreachable):
            await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")
        await service.upload(document_id="a", **BROKEN)
    await work_for_days(service, 4)
    document = await service.document("a")
    assert (document["status"], document["active_revision"]) == ("failed", None)
    assert service.index.found("handbook", "a") == []
    assert await statuses(service, "document_deletion") == ["ready"]


async def test_a_deletion_is_tried_until_it_is_done(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    with monkeypatch.context() as patch:
        broken("delete_document", service, patch, internal)
        with pytest.raises(PeerError):
            await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")
        await work_for_days(service, 30)
        assert await statuses(service, "document_deletion") == ["queued"]
    await work_for_days(service, 2)
    assert service.index.found("handbook", "a") == []


async def test_a_late_deletion_of_a_collection_removes_nothing_of_the_new_one(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    answered, go_on = asyncio.Event(), asyncio.Event()
    original = service.index.delete_collection

    async def slowly(token: str, name: str) -> None:
        await original(token, name)
        answered.set()
        await go_on.wait()

    with monkeypatch.context() as patch:
        patch.setattr(service.index, "delete_collection", slowly)
        late = asyncio.create_task(service.api.deletions.delete_collection(service.job_owner(), "token", "handbook"))
        await answered.wait()
    await service.api.deletions.delete_collection(service.job_owner(), "token", "handbook")
    assert await name_is_held(service)
    await service.collection()
    await service.upload("The word of the new one.", document_id="new")
    await service.work_all()
    go_on.set()
    await late
    assert (await service.document("new"))["status"] == "ready"
    assert await service.text("new") == "The word of the new one."


async def name_is_held(service: Service) -> bool:
    async with service.database.read() as connection:
        return await late_deletion_possible(connection, "acme", "handbook", service.clock.now())


async def test_a_name_is_free_at_once_after_a_deletion_that_nothing_overtook_and_else_after_a_minute(
    service: Service,
) -> None:
    await service.api.deletions.delete_collection(service.job_owner(), "token", "handbook")
    assert not await name_is_held(service)
    async with service.database.write() as connection:
        await connection.execute(update(JOBS).where(JOBS.c.kind == "collection_deletion").values(attempts=2))
    assert await name_is_held(service)
    service.clock.advance(61)
    assert not await name_is_held(service)


async def test_what_the_index_has_made_active_is_what_the_document_says(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the job was taken away between the index's commit and the ledger's: by a new revision that fails."""
    await service.upload("The first text.", document_id="a")
    await service.work_all()
    await service.upload("The second text.", document_id="a")
    original = service.index.commit

    async def overtaken(
        token: str, collection: str, document: str, revision: int, request: CommitRequest, layout: int
    ) -> Committed:
        committed = await original(token, collection, document, revision, request, layout)
        await service.upload(document_id="a", **BROKEN)
        return committed

    with monkeypatch.context() as patch:
        patch.setattr(service.index, "commit", overtaken)
        await service.work()
    await service.work_all()
    document = await service.document("a")
    assert (document["status"], document["active_revision"]) == ("failed", 2)
    assert [chunk.text for chunk in service.index.found("handbook", "a")] == ["The second text."]
    assert await service.text("a") == "The second text."


async def test_a_new_revision_that_is_being_committed_can_not_be_cancelled(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload("The first text.", document_id="a")
    await service.work_all()
    accepted = await service.upload("The second text.", document_id="a")
    assert accepted.job is not None
    job_id, original = accepted.job["id"], service.index.commit

    async def cancelled(
        token: str, collection: str, document: str, revision: int, request: CommitRequest, layout: int
    ) -> Committed:
        async with service.database.write() as connection:
            row = await jobs.get_job(connection, "acme", job_id)
            with pytest.raises(JobCommitting):
                await jobs.cancel_job(connection, row, service.clock.now())
        return await original(token, collection, document, revision, request, layout)

    monkeypatch.setattr(service.index, "commit", cancelled)
    await service.work_all()
    assert (await service.document("a"))["status"] == "ready"


async def test_a_job_that_has_ended_holds_no_grant_however_it_ended(service: Service) -> None:
    await service.upload("The word.", document_id="ready")
    await service.work_all()
    await service.upload(b"%PDF-1.7", document_id="failed", media_type="application/pdf")
    await service.work_all()
    for name in ("cancelled", "replaced", "replaced", "deleted"):
        await service.upload(f"The {name}.", document_id=name)
    async with service.database.write() as connection:
        (row,) = (await connection.execute(select(JOBS).where(JOBS.c.document_id == "cancelled"))).mappings()
        assert (await jobs.cancel_job(connection, row, service.clock.now()))["grant_token"] == "grant-acme"
    await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "deleted")
    async with service.database.read() as connection:
        rows = (await connection.execute(select(JOBS.c.status, JOBS.c.grant_token))).all()
    assert {row.status for row in rows if row.grant_token is None} == {"ready", "failed", "cancelled"}
    assert {row.status for row in rows if row.grant_token is not None} == {"queued"}
