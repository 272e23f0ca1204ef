"""A small document is sent and committed in one call, with the promises of those that take several."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from contracts.core.errors import ErrorBody
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch, Committed
from contracts.retrieval.reindex import ReindexRequest, ShadowRequest
from ingest.jobs import service as jobs
from servicekit.core.errors import PeerError

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

SMALL = "The word and the price."
LONG = "\n\n".join(f"Paragraph {number}. " + "the word and the price " * 30 for number in range(10))


def count(service: Service, call: str, patch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Every time that a call of the index is made, with what it is given."""
    made: list[tuple[Any, ...]] = []
    original = getattr(service.index, call)

    async def counted(*given: Any) -> Any:
        made.append(given)
        return await original(*given)

    patch.setattr(service.index, call, counted)
    return made


async def test_a_small_first_revision_takes_one_call_and_others_are_committed_apart(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = count(service, "put_whole", monkeypatch)
    await service.upload(SMALL, document_id="small")
    await service.upload(LONG, document_id="long")
    await service.work_all()
    assert [given[2] for given in whole] == ["small"]
    await service.upload(SMALL + " Again.", document_id="small")
    await service.work_all()
    assert len(whole) == 1, "a later revision can be cancelled until the ledger says that it is committed"
    for name in ("small", "long"):
        document, found = await service.document(name), service.index.found("handbook", name)
        assert (document["status"], document["chunks"]) == ("ready", len(found))
        text = await service.text(name)
        assert all(text[chunk.start : chunk.end] == chunk.text for chunk in found)


async def killed_behind_the_commit(service: Service, patch: pytest.MonkeyPatch) -> None:
    """A worker dies when the index has committed a small document and the ledger does not know it."""
    claimed = await service.worker.queue.claim("doomed")
    assert claimed is not None
    original, reached = service.index.put_whole, asyncio.Event()

    async def hang(
        token: str, collection: str, document: str, revision: int, batch: ChunkBatch, layout: int
    ) -> BatchIndexed:
        indexed = await original(token, collection, document, revision, batch, layout)
        assert indexed.committed is not None
        reached.set()
        await asyncio.Event().wait()
        return indexed

    with patch.context() as inner:
        inner.setattr(service.index, "put_whole", hang)
        working = asyncio.create_task(service.worker.kind.run(claimed))
        async with asyncio.timeout(60):
            await reached.wait()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    service.clock.advance(31)


async def test_a_kill_between_the_indexs_commit_and_the_ledgers_leaves_it_ready(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(SMALL, document_id="a")
    await killed_behind_the_commit(service, monkeypatch)
    assert (await service.document("a"))["status"] == "processing"
    await service.work_all()
    document = await service.document("a")
    assert (document["status"], document["active_revision"], document["chunks"]) == ("ready", 1, 1)
    assert len(service.index.batches) == 1, "it was not written again"


async def test_one_that_was_committed_whole_is_ready_though_its_resumption_sends_it_in_batches(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reindex may have begun meanwhile, so that it is no longer sent whole: the index refuses its revision then."""
    await service.upload(SMALL, document_id="a")
    await killed_behind_the_commit(service, monkeypatch)
    monkeypatch.setattr(type(service.worker.kind.pipeline), "_is_whole", lambda *_: False)
    await service.work_all()
    document = await service.document("a")
    assert (document["status"], document["active_revision"], document["chunks"]) == ("ready", 1, 1)


async def test_where_only_the_commit_fails_the_batch_is_entered_and_the_commit_says_why(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await service.upload(SMALL, document_id="a")
    assert accepted.job is not None
    original, tried = service.index.commit, 0

    async def missing(*given: Any) -> Committed:
        nonlocal tried
        tried += 1
        if tried < 3:
            body = ErrorBody(type="conflict", code="chunks_missing", message="Some are not there.")
            raise PeerError(409, body)
        return await original(*given)

    monkeypatch.setattr(service.index, "commit", missing)
    await service.work()
    assert (await service.job(accepted.job["id"])).status == "queued"
    service.clock.advance(60)
    await service.work_all()
    assert (await service.document("a"))["status"] == "ready"


async def test_a_job_that_had_to_begin_anew_too_often_can_be_retried(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await service.upload(SMALL, document_id="a")
    assert accepted.job is not None
    job_id = accepted.job["id"]

    async def missing(*_: Any) -> Committed:
        raise PeerError(409, ErrorBody(type="conflict", code="chunks_missing", message="Some are not there."))

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(service.index, "commit", missing)
        for _ in range(8):
            await service.work()
            service.clock.advance(400)
    job = await service.job(job_id)
    assert (job.status, job.error and job.error.code) == ("failed", "attempts_exhausted")
    assert not [line for line in logs if line["log_level"] == "error"], "it is known what that means"
    async with service.database.write() as connection:
        row = await jobs.get_job(connection, "acme", job_id)
        await jobs.retry_job(connection, row, service.job_owner(), service.clock.now())
    await service.work_all()
    assert (await service.job(job_id)).status == "ready"


async def test_nothing_is_found_of_one_that_is_cancelled_while_it_is_sent_whole(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await service.upload(SMALL, document_id="a")
    assert accepted.job is not None
    job_id, original = accepted.job["id"], service.index.put_whole

    async def cancelled(*given: Any) -> BatchIndexed:
        async with service.database.write() as connection:
            row = await jobs.get_job(connection, "acme", job_id)
            row = await jobs.cancel_job(connection, row, service.clock.now())
            cleanup_lease = await service.api.deletions.begin_cleanup(connection, row)
        indexed = await original(*given)
        assert cleanup_lease is not None
        await service.api.deletions.cleanup(cleanup_lease, "token")
        return indexed

    monkeypatch.setattr(service.index, "put_whole", cancelled)
    await service.work_all()
    document = await service.document("a")
    assert (document["status"], document["active_revision"]) == ("cancelled", None)
    assert service.index.found("handbook", "a") == []


async def test_nothing_is_found_of_one_that_is_deleted_while_it_is_sent_whole(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(SMALL, document_id="a")
    original = service.index.put_whole

    async def deleted(*given: Any) -> BatchIndexed:
        await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")
        return await original(*given)

    monkeypatch.setattr(service.index, "put_whole", deleted)
    await service.work_all()
    assert service.index.found("handbook", "a") == []


async def test_one_that_a_new_generation_wants_cut_otherwise_is_sent_to_both_before_it_is_committed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = count(service, "put_whole", monkeypatch)
    wanted = ReindexRequest.model_validate({"chunking": {"strategy": "fixed", "max_tokens": 16}})
    await service.index.begin_shadow("token", "handbook", ShadowRequest(key="r", wanted=wanted))
    await service.upload(SMALL, document_id="a")
    await service.work_all()
    assert (await service.document("a"))["status"] == "ready"
    assert whole == []
    assert service.index.shadows["handbook"][0].whole == {"a": 1}


async def test_a_collection_without_a_model_is_bound_by_the_text_that_its_first_document_has(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.index.obvious = False
    await service.collection("open")
    bound = count(service, "bind_collection", monkeypatch)
    await service.upload("Der Vertrag verlängert sich um ein Jahr.", collection="open", document_id="first")
    await service.upload("The second one is in English.", collection="open", document_id="second")
    await service.work_all()
    assert service.index.kept["open"].embedding_model == "many"
    told = [(given[1], given[2].text) for given in bound]
    assert told == [("open", "Der Vertrag verlängert sich um ein Jahr.")], "the second finds a model"
    assert {name for kept, name in service.index.documents if kept == "open"} == {"first", "second"}


async def test_a_first_document_without_text_leaves_the_choice_to_the_next(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.index.obvious = False
    await service.collection("open")
    bound = count(service, "bind_collection", monkeypatch)
    await service.upload("  \n ", collection="open", document_id="blank")
    await service.work_all()
    assert bound == []
    assert service.index.kept["open"].embedding_model == "auto"
