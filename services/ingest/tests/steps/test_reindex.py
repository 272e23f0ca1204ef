from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import RowMapping, select

from contracts.core.errors import ErrorBody
from contracts.documents.jobs import Job
from contracts.retrieval.collections import Chunking
from contracts.retrieval.reindex import ReindexRequest, Shadow
from ingest.errors import JobCommitting, ReindexRunning
from ingest.jobs import reindexes
from ingest.jobs import service as jobs
from ingest.steps import reindex as reindexing
from ingest.tables import JOBS
from servicekit.core.errors import PeerError
from servicekit.peers.client import PeerUnreachable

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

TEXT = "\n\n".join(f"Paragraph {number}. " + "the word and the price " * 30 for number in range(6))
TO_OTHER = ReindexRequest(embedding_model="other")
TO_RECUT = ReindexRequest(chunking=Chunking(strategy="fixed", max_tokens=32))
TO_TRY = TO_RECUT.model_copy(update={"switch": False})


async def start(service: Service, wanted: ReindexRequest = TO_OTHER) -> str:
    async with service.database.write() as connection:
        row = await reindexes.create_reindex(connection, service.job_owner(), "handbook", wanted, service.clock.now())
    return str(row["id"])


async def rows(service: Service, kind: str) -> list[RowMapping]:
    async with service.database.read() as connection:
        found = await connection.execute(select(JOBS).where(JOBS.c.kind == kind).order_by(JOBS.c.id))
        return list(found.mappings())


async def cancel(service: Service, job_id: str) -> None:
    """As the route does."""
    async with service.database.write() as connection:
        row = await jobs.cancel_job(connection, await jobs.get_job(connection, "acme", job_id), service.clock.now())
        removal = await service.api.deletions.begin_cleanup(connection, row)
    await service.api.deletions.cleanup(removal, "token")


def spans(service: Service, document_id: str) -> list[tuple[int, int]]:
    return [(chunk.start, chunk.end) for chunk in service.index.found("handbook", document_id)]


async def test_a_new_model_is_brought_in_by_a_job_that_shows_its_stage_and_progress(service: Service) -> None:
    for name in ("a", "b", "c"):
        await service.upload(TEXT, document_id=name)
    await service.work_all()
    job_id = await start(service)
    seen: list[Job] = []
    original = service.index.copy_shadow

    async def watched(*given: Any) -> Shadow:
        seen.append(await service.job(job_id))
        return await original(*given)

    service.index.copy_shadow = watched  # type: ignore[method-assign]
    await service.work_all()
    job = await service.job(job_id)
    assert (job.kind, job.status, job.stage, job.progress, job.document_id) == ("reindex", "ready", "done", 1.0, "")
    assert {each.stage for each in seen} == {"copying"}
    assert [each.progress for each in seen] == sorted(each.progress for each in seen)
    assert set(job.timings) == {"copying", "flipping"}
    assert (await service.index.get_collection("", "handbook")).embedding_model == "other"


async def test_new_chunking_cuts_every_document_anew_with_exact_spans(service: Service) -> None:
    for name in ("a", "b"):
        await service.upload(TEXT + name, document_id=name)
    await service.work_all()
    before = spans(service, "a")
    await start(service, TO_RECUT)
    await service.work_all()
    found = service.index.found("handbook", "a")
    text = await service.text("a")
    assert spans(service, "a") != before
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in found)
    assert [chunk.ordinal for chunk in found] == list(range(len(found)))
    collection = await service.index.get_collection("", "handbook")
    assert (collection.chunking.strategy, collection.index.layout) == ("fixed", 2)
    await service.upload(TEXT + "a", document_id="later")
    await service.work_all()
    assert spans(service, "later") == spans(service, "a"), "later documents are cut the same way"


async def test_a_reindex_whose_worker_died_is_taken_up_by_another(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        await service.upload(TEXT, document_id=name)
    await service.work_all()
    job_id = await start(service, TO_RECUT)
    claimed = await service.worker.queue.claim("doomed")
    assert claimed is not None
    original, staged = service.index.stage_commit, 0

    async def die(*given: Any) -> None:
        nonlocal staged
        staged += 1
        if staged == 2:
            raise SystemExit  # as if killed: nothing is settled
        await original(*given)

    with monkeypatch.context() as patch:
        patch.setattr(service.index, "stage_commit", die)
        with pytest.raises(SystemExit):
            await service.worker.kind.run(claimed)
    assert await service.work() is False, "the lease is still held"
    service.clock.advance(31)
    await service.work_all()
    assert ((await service.job(job_id)).status, (await service.job(job_id)).attempts) == ("ready", 2)
    assert len(service.index.shadows["handbook"]) == 1, "the same shadow was built further"


async def test_a_cancelled_reindex_leaves_the_old_generation_and_no_shadow(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    job_id = await start(service)
    original = service.index.copy_shadow

    async def cancelled(*given: Any) -> Shadow:
        await cancel(service, job_id)
        return await original(*given)

    monkeypatch.setattr(service.index, "copy_shadow", cancelled)
    await service.work_all()
    assert (await service.job(job_id)).status == "cancelled"
    collection = await service.index.get_collection("", "handbook")
    assert (collection.embedding_model, collection.index.state) == ("default", "green")
    assert [row["status"] for row in await rows(service, "shadow_removal")] == ["ready"]


async def test_a_failed_reindex_removes_its_shadow_though_the_index_is_away_and_can_be_retried(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    job_id = await start(service)
    body = ErrorBody(type="invalid_request", code="embedding_mismatch", message="The model gave other vectors.")

    async def refuse(*_: Any) -> Shadow:
        raise PeerError(400, body)

    async def away(*_: Any) -> None:
        raise PeerUnreachable("retriever")

    with monkeypatch.context() as patch:
        patch.setattr(service.index, "copy_shadow", refuse)
        patch.setattr(service.index, "abandon_shadow", away)
        await service.work_all()
    job = await service.job(job_id)
    assert (job.status, job.error and job.error.code) == ("failed", "embedding_mismatch")
    assert (await service.index.get_collection("", "handbook")).index.state == "building"
    service.clock.advance(3600)
    await service.work_all()
    assert (await service.index.get_collection("", "handbook")).index.state == "green"
    async with service.database.write() as connection:
        row = await jobs.get_job(connection, "acme", job_id)
        await jobs.retry_job(connection, row, service.job_owner(), service.clock.now())
    await service.work_all()
    assert (await service.job(job_id)).status == "ready"
    assert (await service.index.get_collection("", "handbook")).embedding_model == "other"


async def test_a_reindex_that_gets_nowhere_fails_after_some_attempts(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    job_id = await start(service)
    original = service.index.copy_shadow

    async def idle(*given: Any) -> Shadow:
        return (await original(*given)).model_copy(update={"state": "building", "copied": 0, "left": 1, "wanted": []})

    monkeypatch.setattr(service.index, "copy_shadow", idle)
    for _ in range(12):
        await service.work()
        service.clock.advance(3600)
    job = await service.job(job_id)
    assert (job.status, job.error and job.error.code) == ("failed", "attempts_exhausted")


async def test_a_long_reindex_lets_other_jobs_go_first(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reindexing, "SLICE_SECONDS", -1.0)
    for name in ("a", "b", "c"):
        await service.upload(TEXT, document_id=name)
    await service.work_all()
    job_id = await start(service)
    service.clock.advance(1)
    await service.upload(TEXT, document_id="urgent")
    service.clock.advance(1)
    await service.work()
    job = await service.job(job_id)
    assert (job.status, job.attempts) == ("queued", 0)
    assert job.progress > 0
    service.clock.advance(1)
    await service.work()
    assert (await service.document("urgent"))["status"] == "ready"
    await service.work_all()
    assert (await service.job(job_id)).status == "ready"


async def test_a_document_on_its_way_when_the_chunking_changes_is_cut_anew(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    await service.upload(TEXT, document_id="late")
    claimed = await service.worker.queue.claim("slow")
    assert claimed is not None
    original, batches = service.index.put_chunks, 0

    async def reindexed_meanwhile(*given: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 2:
            await start(service, TO_RECUT)
            await service.work()
        return await original(*given)

    with monkeypatch.context() as patch:
        patch.setattr(service.index, "put_chunks", reindexed_meanwhile)
        await service.worker.runner.run(claimed, asyncio.Event())
    assert (await service.document("late"))["status"] == "processing"
    service.clock.advance(60)
    await service.work_all()
    assert (await service.document("late"))["status"] == "ready"
    assert spans(service, "late") == spans(service, "a")


async def test_a_document_that_comes_while_others_are_cut_anew_is_in_both_before_it_is_ready(service: Service) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    await start(service, TO_RECUT)
    reindex = await service.worker.queue.claim("reindexer")
    assert reindex is not None
    await service.index.begin_shadow(
        "", "handbook", reindexing.ShadowRequest(key=reindexes.shadow_key(reindex.row), wanted=TO_RECUT)
    )
    await service.upload(TEXT, document_id="new")
    await service.work()
    (shadow,) = service.index.shadows["handbook"]
    assert shadow.whole == {"new": 1}
    await service.worker.runner.run(reindex, asyncio.Event())
    assert spans(service, "new") == spans(service, "a")


async def test_a_reindex_that_is_flipping_can_not_be_cancelled(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await start(service)
    original = service.index.flip_shadow

    async def too_late(*given: Any) -> Shadow:
        with pytest.raises(JobCommitting):
            await cancel(service, job_id)
        return await original(*given)

    monkeypatch.setattr(service.index, "flip_shadow", too_late)
    await service.work_all()
    assert (await service.job(job_id)).status == "ready"


async def test_deleting_the_collection_ends_its_reindex(service: Service) -> None:
    job_id = await start(service)
    await service.api.deletions.delete_collection(service.job_owner(), "token", "handbook")
    job = await service.job(job_id)
    assert (job.status, job.error and job.error.code) == ("cancelled", "deleted")
    await service.work_all()


async def test_an_index_that_is_not_to_serve_is_built_and_stays_until_its_job_is_cancelled(service: Service) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    before, job_id = spans(service, "a"), await start(service, TO_TRY)
    await service.work_all()
    job = await service.job(job_id)
    assert (job.status, job.stage, job.progress, job.waiting_on) == ("queued", "built", 1.0, "cancellation")
    assert spans(service, "a") == before
    assert (await service.index.get_collection("", "handbook")).index.state == "building"
    with pytest.raises(ReindexRunning):
        await start(service)
    await service.upload(TEXT + "b", document_id="b")
    await service.work_all()
    (shadow,) = service.index.shadows["handbook"]
    assert shadow.whole == {"a": 1, "b": 1}, "what comes meanwhile is in both"
    for _ in range(10):
        service.clock.advance(3600)
        await service.work_all()
    job = await service.job(job_id)
    assert (job.stage, job.attempts) == ("built", 0)
    await cancel(service, job_id)
    collection = await service.index.get_collection("", "handbook")
    assert (collection.index.state, collection.chunking.strategy) == ("green", "auto")
    assert await start(service)


async def test_an_index_that_nobody_cancels_is_removed_after_a_day(service: Service) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    job_id = await start(service, TO_TRY)
    await service.work_all()
    service.clock.advance(reindexing.KEPT_SECONDS + 1)
    await service.work_all()
    job = await service.job(job_id)
    assert (job.status, job.error and job.error.code) == ("failed", "index_kept_too_long")
    assert (await service.index.get_collection("", "handbook")).index.state == "green"


async def test_an_index_that_is_built_outlasts_an_absence_of_what_it_is_in(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    job_id = await start(service, TO_TRY)
    await service.work_all()

    async def away(*_: Any) -> Shadow:
        raise PeerUnreachable("retriever")

    service.clock.advance(7200)
    await service.work_all()
    with monkeypatch.context() as patch:
        patch.setattr(service.index, "begin_shadow", away)
        service.clock.advance(7200)
        await service.work()
    assert (await service.job(job_id)).waiting_on == "retriever"
    service.clock.advance(60)
    await service.work_all()
    assert (await service.job(job_id)).waiting_on == "cancellation"


async def test_a_spent_budget_leaves_an_index_that_is_built(service: Service) -> None:
    await service.upload(TEXT, document_id="a")
    await service.work_all()
    job_id = await start(service, TO_TRY)
    await service.work_all()
    service.token_source.spent = True
    service.clock.advance(60)
    await service.work_all()
    assert (await service.job(job_id)).waiting_on == "cancellation"
