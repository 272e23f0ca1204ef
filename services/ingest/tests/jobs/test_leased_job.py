from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from contracts.documents.documents import Failure
from contracts.retrieval.chunks import Committed
from ingest.errors import BlobBusy
from ingest.jobs import leased_job
from ingest.jobs.leased_job import IngestJob
from ingest.parts.files import Part
from ingest.tables import DOCUMENTS, JOBS, REVISIONS
from servicekit.jobs.leases import LeaseLost
from servicekit.sql.transaction import Transaction

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

COMMITTED = Committed(chunks=3, stale_deleted=0, collection_revision=1)
FACTS = {"pages": 2, "unread_pages": [2], "title": "Read", "chunks": 3, "parsed": True, "layout": 1}
WHY = Failure(code="malformed", message="Broken.")


class Kept:
    """A claim on bytes, which may be over."""

    def __init__(self, *, gone: bool = False) -> None:
        self.gone = gone

    async def confirm(self, connection: Transaction) -> None:
        if self.gone:
            raise BlobBusy


def part(number: int = 0) -> Part:
    return Part(number, f"acme/{'a' * 63}{number}", f"acme/{'b' * 63}{number}", 0, 9, 0, 3, 2, 1.0)


async def claimed(service: Service, content: str = "The word.", document_id: str = "a") -> IngestJob:
    await service.upload(content, document_id=document_id)
    job = await service.worker.queue.claim("worker")
    assert job is not None
    return job


async def revisions(service: Service) -> list[int]:
    async with service.database.read() as connection:
        return list((await connection.execute(select(REVISIONS.c.n).order_by(REVISIONS.c.n))).scalars())


async def kinds(service: Service) -> list[str]:
    async with service.database.read() as connection:
        return list((await connection.execute(select(JOBS.c.kind).order_by(JOBS.c.id))).scalars())


async def test_time_that_blocks_of_a_stage_share_counts_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    job, now = await claimed(service), 0.0
    monkeypatch.setattr(leased_job, "time", SimpleNamespace(perf_counter=lambda: now))
    with job.timed("indexing"):
        now = 1.0
        with job.timed("indexing"), job.timed("parsing"):
            now = 3.0
        now = 4.0
    now = 10.0
    with pytest.raises(ValueError, match="broken"), job.timed("indexing"):
        now = 10.5
        raise ValueError("broken")
    assert job.timings == job.carried()["timings"] == {"indexing": 4500.0, "parsing": 2000.0}


async def test_a_part_is_written_with_what_was_found_out_and_that_it_is_sent(service: Service) -> None:
    job = await claimed(service)
    assert await job.list_parts() == []
    await job.add_part(part(), FACTS, Kept())
    assert await job.list_parts() == [part()]
    document = await service.document("a")
    assert (document["title"], document["pages"], document["unread_pages"]) == ("Read", 2, [2])
    assert (job.revision["sent"], job.revision["chunks"]) == (True, 3)


async def test_of_a_part_whose_bytes_may_be_gone_nothing_is_written(service: Service) -> None:
    job = await claimed(service)
    with pytest.raises(BlobBusy):
        await job.add_part(part(), FACTS, Kept(gone=True))
    assert (await service.document("a"))["title"] == "doc"
    assert not job.revision["sent"]
    await job.add_part(part(), FACTS, Kept())  # the same part again is no second one
    assert await job.list_parts() == [part()]


async def test_a_job_that_was_taken_over_changes_nothing(service: Service) -> None:
    job = await claimed(service)
    service.clock.advance(31)
    assert await service.worker.queue.claim("successor") is not None
    for writing in (
        job.add_part(part(), FACTS, Kept()),
        job.begin_sending(),
        job.end_ready(COMMITTED),
        job.end_failed(WHY),
    ):
        with pytest.raises(LeaseLost):
            await writing
    document = await service.document("a")
    assert (document["status"], document["active_revision"], document["title"]) == ("processing", None, "doc")


async def test_a_ready_job_shows_its_revision_and_holds_no_grant(service: Service) -> None:
    job = await claimed(service)
    await job.add_part(part(), FACTS, Kept())
    await job.end_ready(COMMITTED)
    document = await service.document("a")
    assert (document["status"], document["active_revision"], document["chunks"]) == ("ready", 1, 3)
    async with service.database.read() as connection:
        row = (await connection.execute(select(JOBS))).mappings().one()
    assert (row["status"], row["progress"], row["pages_done"], row["grant_token"]) == ("ready", 1.0, 2, None)
    assert job.is_released


@pytest.mark.parametrize(("sent", "left"), [(False, ["document"]), (True, ["document", "withdrawal"])])
async def test_what_a_failed_job_has_sent_is_taken_out_by_another(
    service: Service, sent: bool, left: list[str]
) -> None:
    job = await claimed(service)
    if sent:
        await job.begin_sending()
    await job.end_failed(WHY, "parsers 7")
    document = await service.document("a")
    assert (document["status"], document["error"]["code"], document["unreadable_by"]) == (
        "failed",
        "malformed",
        "parsers 7",
    )
    assert await kinds(service) == left


async def test_a_cancelled_job_cancels_its_document_unless_a_newer_revision_is_there(service: Service) -> None:
    job = await claimed(service)
    async with service.database.write() as connection:
        await connection.execute(update(DOCUMENTS).values(revision=2))
    await job.end_cancelled(None)
    assert (await service.document("a"))["status"] == "processing"
    other = await claimed(service, "Other.", "b")
    await other.end_cancelled(WHY)
    assert (await service.document("b"))["status"] == "cancelled"


async def test_what_the_index_made_active_is_shown_though_the_job_was_ended(service: Service) -> None:
    job = await claimed(service)
    await job.end_cancelled(None)
    await job.committed_after_all(COMMITTED)
    document = await service.document("a")
    assert (document["active_revision"], document["chunks"]) == (1, 3)
    late = Committed(chunks=9, stale_deleted=0, collection_revision=1)
    await job.committed_after_all(late)
    assert (await service.document("a"))["chunks"] == 3, "only something newer takes its place"


async def test_but_not_where_it_is_taken_out_again(service: Service) -> None:
    job = await claimed(service)
    await job.begin_sending()
    await job.end_failed(WHY)  # queues a withdrawal
    await job.committed_after_all(COMMITTED)
    assert (await service.document("a"))["active_revision"] is None


async def test_reading_anew_forgets_the_parts_and_tells_their_bytes(service: Service) -> None:
    job = await claimed(service)
    await job.add_part(part(), FACTS, Kept())
    assert await job.restart_reading() == {part().text_key, part().structure_key}
    assert (job.row["restarts"], job.row["chunks_done"], job.row["stage"]) == (1, 0, "parsing")
    async with service.database.read() as connection:
        row = (await connection.execute(select(REVISIONS))).mappings().one()
    assert (row["parsed"], row["chunks"], row["layout"]) == (False, None, None)


async def test_committed_revisions_are_kept_so_many_and_none_that_never_became_whole(service: Service) -> None:
    for number in range(4):
        await service.upload(f"text {number}", document_id="a")
        if number != 1:
            await service.work_all()
    job = await claimed(service, "The last.")
    async with service.database.write() as connection:
        await connection.execute(update(REVISIONS).where(REVISIONS.c.n == 5).values(status="committed"))
    before = await revisions(service)
    gone = await job.prune_revisions(2)
    assert (before, await revisions(service)) == ([1, 3, 4, 5], [4, 5])
    assert len(gone) == 3, "two texts, which are their originals, and the structure that they share"
    assert await job.prune_revisions(2) == set()
