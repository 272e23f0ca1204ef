from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from contracts.documents.jobs import Accepted
from ingest.documents.intake import TO_CHANGE
from ingest.documents.submission import Submission
from ingest.errors import CollectionNotFound
from servicekit.web.idempotency import CallKey

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

CALL = CallKey("key-acme", "POST /v1/collections/handbook/documents", "k")


def submission(content: bytes = b"The word.", **changes: Any) -> Submission:
    given: dict[str, Any] = {"title": None, "fallback_title": "word", "source": "word.txt", "metadata": {}}
    given |= {"filename": "word.txt", "declared": "text/plain", "document_id": "d"} | changes
    return Submission(io.BytesIO(content), **given)


async def take(service: Service, submitted: Submission, **more: Any) -> tuple[int, Accepted]:
    answer = await service.api.intake.take(service.job_owner(), "handbook", submitted, **more)
    return answer.status, Accepted.model_validate_json(answer.body)


async def stored(service: Service) -> list[str]:
    return [key async for keys in service.blobs.old_keys(0) for key in keys]


async def test_a_worker_is_notified_of_a_document_once_it_is_committed(service: Service) -> None:
    status, accepted = await take(service, submission())
    assert accepted.job is not None
    assert (status, accepted.unchanged, service.notifier.notified) == (202, False, [accepted.job.id])
    assert (await service.document("d"))["status"] == "queued"


async def test_the_same_again_is_unchanged_and_wakes_nobody(service: Service) -> None:
    _, first = await take(service, submission())
    status, again = await take(service, submission(title="Word"))
    assert (status, again.unchanged, again.document.id) == (200, True, first.document.id)
    assert again.warnings == [f"The document keeps its title. {TO_CHANGE}"]
    assert len(service.notifier.notified) == 1


async def test_a_call_that_is_repeated_gets_its_first_answer(service: Service) -> None:
    first = await service.api.intake.take(service.job_owner(), "handbook", submission(), CALL)
    again = await service.api.intake.take(service.job_owner(), "handbook", submission(), CALL)
    assert again == first
    assert len(service.notifier.notified) == 1


async def test_bytes_of_a_submission_that_is_refused_are_not_kept(service: Service) -> None:
    with pytest.raises(CollectionNotFound):
        await service.api.intake.take(service.job_owner(), "nowhere", submission())
    assert await stored(service) == []
