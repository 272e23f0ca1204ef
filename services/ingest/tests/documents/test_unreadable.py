"""Bytes that can't be read are not read again and again, and not once too seldom either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from extraction.model.failures import ParseFailed, crashed, timed_out
from ingest.errors import BlobMissing
from ingest.jobs import service as jobs
from servicekit.core.errors import ServiceError

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


BROKEN: dict[str, Any] = {"content": b"%PDF-1.7 broken", "media_type": "application/pdf", "document_id": "a"}


async def alive(service: Service, owner: str = "worker", reading: str | None = None) -> None:
    """A worker gives a sign of life."""
    await service.worker.registry.announce(
        owner, 2, service.clock.now(), reading=reading or service.worker.kind.reading
    )


async def failed(service: Service) -> None:
    """The document has failed while a worker lives."""
    await alive(service)
    await service.upload(**BROKEN)
    await service.work_all()
    assert (await service.document("a"))["status"] == "failed"


async def test_unreadable_bytes_uploaded_again_are_answered_with_the_reason_and_no_job(service: Service) -> None:
    await failed(service)
    again = await service.upload(**BROKEN)
    assert (again.unchanged, again.job, again.document["status"]) == (True, None, "failed")
    assert again.document["error"]["code"] == "malformed"
    assert not await service.work()


async def test_they_are_tried_again_where_a_worker_reads_otherwise(service: Service) -> None:
    await failed(service)
    await alive(service, "upgraded", "another reading version")
    assert (await service.upload(**BROKEN)).document["status"] == "queued"


async def test_they_are_tried_again_where_nobody_knows_how_they_will_be_read(service: Service) -> None:
    await failed(service)
    service.clock.advance(31)
    assert (await service.upload(**BROKEN)).document["status"] == "queued"


async def test_they_are_tried_again_as_something_else(service: Service) -> None:
    await failed(service)
    assert (await service.upload(**BROKEN | {"media_type": "text/plain"})).document["status"] == "queued"


async def test_other_bytes_and_a_deleted_document_are_taken_as_ever(service: Service) -> None:
    await failed(service)
    await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")
    assert (await service.upload(**BROKEN)).document["status"] == "queued"
    await service.work_all()
    other = await service.upload(**BROKEN | {"content": b"%PDF-1.7 broken otherwise"})
    assert (other.unchanged, other.document["status"]) == (False, "queued")


async def test_a_retry_by_hand_reads_them_again(service: Service) -> None:
    await alive(service)
    first = await service.upload(**BROKEN)
    await service.work_all()
    assert first.job is not None
    async with service.database.write() as connection:
        row = await jobs.get_job(connection, "acme", first.job["id"])
        await jobs.retry_job(connection, row, service.job_owner(), service.clock.now())
    under_way = await service.upload(**BROKEN)
    assert (under_way.document["status"], under_way.job is not None) == ("queued", True)
    assert await service.work()
    assert (await service.upload(**BROKEN)).unchanged


@pytest.mark.parametrize("error", [timed_out(3), crashed(), BlobMissing()])
async def test_what_may_go_better_next_time_is_tried_again(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: ParseFailed | ServiceError
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(type(service.worker.kind.pipeline), "run", fail)
    await failed(service)
    again = await service.upload(**BROKEN)
    assert (again.unchanged, again.document["status"]) == (False, "queued")


async def test_the_next_reading_forgets_why_the_last_one_failed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await failed(service)

    async def fail(*_: object) -> None:
        raise timed_out(3)

    with monkeypatch.context() as patch:
        patch.setattr(type(service.worker.kind.pipeline), "run", fail)
        await service.upload(**BROKEN | {"content": b"%PDF-1.7 slow"})
        await service.work_all()
    again = await service.upload(**BROKEN | {"content": b"%PDF-1.7 slow"})
    assert again.unchanged is False
