from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import RowMapping, insert, update

from contracts.core.pages import Page
from contracts.documents.jobs import Job
from contracts.retrieval.reindex import ReindexRequest
from ingest.errors import JobCommitting, JobFinished, JobNotFailed, JobNotFound, JobSuperseded, ReindexRunning
from ingest.jobs import service as jobs
from ingest.jobs.lifecycle import new_job
from ingest.jobs.reindexes import create_reindex
from ingest.jobs.service import JobFilter
from ingest.parts.repository import list_parts
from ingest.tables import JOBS
from servicekit.core.errors import InvalidRequest

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

TO_OTHER = ReindexRequest(embedding_model="other")
ALL = JobFilter()


async def row_of(service: Service, job_id: str, tenant: str = "acme") -> RowMapping:
    async with service.database.read() as connection:
        return await jobs.get_job(connection, tenant, job_id)


async def uploaded(service: Service, content: str = "The word.", **given: Any) -> RowMapping:
    accepted = await service.upload(content, **given)
    assert accepted.job is not None
    return accepted.job


async def failed(service: Service, **given: Any) -> RowMapping:
    """A job that failed since its key was revoked, and could go on."""
    job = await uploaded(service, **given)
    service.token_source.revoked.add("grant-acme")
    await service.work_all()
    service.token_source.revoked.clear()
    return await row_of(service, job["id"])


async def retried(service: Service, row: RowMapping) -> RowMapping:
    async with service.database.write() as connection:
        return await jobs.retry_job(connection, row, service.job_owner(), service.clock.now())


async def cancelled(service: Service, row: RowMapping) -> RowMapping:
    async with service.database.write() as connection:
        return await jobs.cancel_job(connection, row, service.clock.now())


async def listed(service: Service, which: JobFilter = ALL, limit: int = 50, cursor: str | None = None) -> Page[Job]:
    async with service.database.read() as connection:
        return await jobs.list_jobs(connection, "acme", which, limit, cursor, service.clock.now())


async def test_nobody_sees_another_tenant_s_job_or_one_that_nobody_started(service: Service) -> None:
    job = await uploaded(service)
    now = service.clock.now()
    hidden = new_job("withdrawal", service.job_owner(), "handbook", ("doc_1", "a", 1), now)
    async with service.database.write() as connection:
        await connection.execute(insert(JOBS).values(**hidden))
    assert (await row_of(service, job["id"]))["id"] == job["id"]
    for tenant, job_id in (("globex", job["id"]), ("acme", hidden["id"]), ("acme", "job_none")):
        with pytest.raises(JobNotFound):
            await row_of(service, job_id, tenant)
    assert [each.id for each in (await listed(service)).data] == [job["id"]]


async def test_jobs_are_listed_newest_first_and_each_is_on_one_page(service: Service) -> None:
    made = [(await uploaded(service, f"text {number}"))["id"] for number in range(5)]
    pages, cursor = [], None
    for _ in range(3):
        page = await listed(service, limit=2, cursor=cursor)
        pages.append([each.id for each in page.data])
        cursor = page.next_cursor
    assert pages == [[made[4], made[3]], [made[2], made[1]], [made[0]]]
    assert cursor is None
    assert (await listed(service, limit=5)).next_cursor is None
    with pytest.raises(InvalidRequest):
        await listed(service, cursor="nonsense")


async def test_a_filter_leaves_what_it_names_and_what_the_key_may_see(service: Service) -> None:
    first = await uploaded(service)
    await cancelled(service, first)
    second = await uploaded(service, "two")
    found = {
        which: [each.id for each in (await listed(service, which)).data]
        for which in (
            JobFilter(status="queued"),
            JobFilter(collection="handbook"),
            JobFilter(collection="other"),
            JobFilter(collections=("handbook", "other")),
            JobFilter(collections=()),
        )
    }
    both = [second["id"], first["id"]]
    assert list(found.values()) == [[second["id"]], both, [], both, []]


async def test_who_follows_a_job_sees_it_now_then_each_change_until_its_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOOK_SECONDS", 0.0)
    job = await uploaded(service)
    watching = jobs.watch_job(service.database, service.clock, "acme", job["id"], 600)
    first = await anext(watching)
    assert first is not None
    assert first.status == "queued"
    await cancelled(service, await row_of(service, job["id"]))
    assert [each and each.status async for each in watching] == ["cancelled"]


async def test_a_stream_in_which_nothing_happens_gives_signs_of_life_and_ends_in_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(jobs, "SILENCE_SECONDS", -1.0)
    job = await uploaded(service)
    watching = jobs.watch_job(service.database, service.clock, "acme", job["id"], 600)
    assert [await anext(watching) is None for _ in range(3)] == [False, True, True]
    assert [each async for each in jobs.watch_job(service.database, service.clock, "acme", job["id"], 0)] == []


@pytest.mark.parametrize(
    ("stage", "revision", "may_be"),
    [("indexing", 2, True), ("committing", 1, True), ("committing", 2, False), ("flipping", 1, False)],
)
async def test_a_running_job_can_be_cancelled_until_what_it_replaces_may_be_gone(
    service: Service, stage: str, revision: int, may_be: bool
) -> None:
    job = await uploaded(service)
    async with service.database.write() as connection:
        at_work = {"status": "running", "stage": stage, "revision": revision}
        await connection.execute(update(JOBS).values(**at_work))
    row = await row_of(service, job["id"])
    if may_be:
        assert (await cancelled(service, row))["status"] == "cancelled"
    else:
        with pytest.raises(JobCommitting):
            await cancelled(service, row)


async def test_a_cancelled_job_s_document_is_cancelled_and_the_job_not_a_second_time(service: Service) -> None:
    job = await uploaded(service, document_id="a")
    await cancelled(service, job)
    assert (await service.document("a"))["status"] == "cancelled"
    with pytest.raises(JobFinished, match="already cancelled"):
        await cancelled(service, job)


async def test_a_failed_job_can_be_retried_and_only_then(service: Service) -> None:
    row = await failed(service)
    assert (row["status"], row["error"]["code"], row["error"]["retryable"]) == ("failed", "key_revoked", True)
    again = await retried(service, row)
    assert (again["status"], again["error"], again["attempts"], again["grant_token"]) == (
        "queued",
        None,
        0,
        "grant-acme",
    )
    with pytest.raises(JobNotFailed, match="is queued"):
        await retried(service, again)
    await service.work_all()
    row = await row_of(service, row["id"])
    assert row["status"] == "ready"
    with pytest.raises(JobNotFailed):
        await retried(service, row)
    with pytest.raises(JobFinished):
        await cancelled(service, row)


async def test_a_retry_goes_on_under_a_new_revision_where_chunks_were_sent_and_reads_nothing_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsent = await failed(service, document_id="unsent")
    assert (await retried(service, unsent))["revision"] == 1
    await service.work_all()

    async def fail(*_: object) -> None:
        service.token_source.revoked.add("grant-acme")
        raise RuntimeError("the index breaks down")

    job = await uploaded(service, document_id="sent")
    with monkeypatch.context() as patch:
        for call in ("put_whole", "put_chunks"):
            patch.setattr(service.index, call, fail)
        await service.work()
    service.clock.advance(400)
    await service.work()
    service.token_source.revoked.clear()
    again = await retried(service, await row_of(service, job["id"]))
    async with service.database.read() as connection:
        parts = [await list_parts(connection, again["document_key"], n) for n in (1, 2)]
    assert again["revision"] == 2
    assert parts[0] == parts[1] != []


async def test_a_failed_job_whose_document_has_moved_on_is_not_retried(service: Service) -> None:
    row = await failed(service, document_id="a")
    await service.upload("Newer words.", document_id="a")
    with pytest.raises(JobSuperseded):
        await retried(service, row)
    await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")
    with pytest.raises(JobSuperseded):
        await retried(service, row)


async def test_a_failed_reindex_is_not_retried_beside_another_one(service: Service) -> None:
    async with service.database.write() as connection:
        row = await create_reindex(connection, service.job_owner(), "handbook", TO_OTHER, service.clock.now())
        await connection.execute(update(JOBS).values(status="failed"))
        other = await create_reindex(connection, service.job_owner(), "handbook", TO_OTHER, service.clock.now())
    row = await row_of(service, row["id"])
    with pytest.raises(ReindexRunning):
        await retried(service, row)
    await cancelled(service, other)
    assert (await retried(service, row))["revision"] == row["revision"] + 1
