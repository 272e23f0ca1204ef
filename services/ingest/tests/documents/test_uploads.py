from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from ingest.errors import DocumentNotFound
from ingest.tables import DOCUMENTS, JOBS

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


async def test_the_bytes_are_the_identity_where_no_id_is_given(service: Service) -> None:
    first = await service.upload("one")
    again = await service.upload("one", title="Another title")
    other = await service.upload("one", document_id="own-id")
    assert first.document["id"] == first.document["sha256"]
    assert (again.unchanged, again.job["id"] if again.job else None) == (True, first.job["id"] if first.job else None)
    assert (other.unchanged, other.document["key"] == first.document["key"]) == (False, False)


async def test_other_bytes_under_the_same_id_are_a_new_revision_that_supersedes_the_old_job(service: Service) -> None:
    first = await service.upload("one", document_id="a")
    second = await service.upload("two", document_id="a")
    assert first.job is not None
    assert (second.document["revision"], second.document["key"]) == (2, first.document["key"])
    old = await service.job(first.job["id"])
    assert (old.status, old.error.code if old.error else None) == ("cancelled", "superseded")
    await service.work_all()
    assert (await service.document("a"))["active_revision"] == 2


async def test_a_hundred_concurrent_uploads_of_one_file_make_one_document_and_one_job(service: Service) -> None:
    accepted = await asyncio.gather(*(service.upload("same") for _ in range(100)))
    async with service.database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(DOCUMENTS))).scalar_one() == 1
        assert (await connection.execute(select(func.count()).select_from(JOBS))).scalar_one() == 1
    assert sum(not each.unchanged for each in accepted) == 1


async def test_concurrent_uploads_under_one_id_become_revisions_in_a_row(service: Service) -> None:
    accepted = await asyncio.gather(*(service.upload(f"text {number}", document_id="a") for number in range(20)))
    assert sorted(each.document["revision"] for each in accepted) == list(range(1, 21))
    await service.work_all()
    document = await service.document("a")
    assert (document["status"], document["active_revision"]) == ("ready", 20)


async def test_a_failed_document_uploaded_again_is_tried_again(service: Service) -> None:
    await service.upload(b"%PDF-1.4 nonsense", media_type="application/pdf", document_id="a")
    await service.work_all()
    assert (await service.document("a"))["error"]["code"] == "malformed"
    again = await service.upload(b"%PDF-1.4 nonsense", media_type="application/pdf", document_id="a")
    assert (again.unchanged, again.document["status"], again.document["revision"]) == (False, "queued", 1)


async def test_a_document_uploaded_again_after_its_deletion_is_found_again(service: Service) -> None:
    await service.upload("one", document_id="a")
    await service.work_all()
    await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")
    with pytest.raises(DocumentNotFound):
        await service.document("a")
    assert service.index.found("handbook", "a") == []
    again = await service.upload("one", document_id="a")
    assert again.document["revision"] == 2
    await service.work_all()
    assert (await service.document("a"))["status"] == "ready"
    assert [chunk.text for chunk in service.index.found("handbook", "a")] == ["one"]


async def test_one_tenants_documents_are_not_anothers(service: Service) -> None:
    await service.collection("handbook", tenant="globex")
    await service.upload("one", document_id="a")
    theirs = await service.upload("one", document_id="a", tenant="globex")
    assert theirs.unchanged is False
    assert (await service.document("a", "globex"))["key"] != (await service.document("a"))["key"]
