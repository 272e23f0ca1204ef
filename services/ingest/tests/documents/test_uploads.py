from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from ingest.documents.deletions import COLLECTION_DELETED
from ingest.errors import CollectionDeleting, CollectionNotFound, DocumentNotFound
from ingest.tables import COLLECTIONS, DOCUMENTS, JOBS
from servicekit.peers.client import PeerUnreachable

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


async def test_no_upload_into_a_collection_that_is_not_there_or_being_deleted(service: Service) -> None:
    with pytest.raises(CollectionNotFound):
        await service.upload("one", collection="nowhere")
    async with service.database.write() as connection:
        await connection.execute(COLLECTIONS.update().values(deletion_job="job_1"))
    with pytest.raises(CollectionDeleting):
        await service.upload("one")


async def test_one_tenants_documents_are_not_anothers(service: Service) -> None:
    await service.collection("handbook", tenant="globex")
    await service.upload("one", document_id="a")
    theirs = await service.upload("one", document_id="a", tenant="globex")
    assert theirs.unchanged is False
    assert (await service.document("a", "globex"))["key"] != (await service.document("a"))["key"]


async def test_deleting_a_collection_cancels_its_jobs_and_leaves_no_bytes(service: Service) -> None:
    done = await service.upload("one")
    await service.work_all()
    waiting = await service.upload("two")
    await service.api.deletions.delete_collection(service.job_owner(), "token", "handbook")
    assert waiting.job is not None
    job = await service.job(waiting.job["id"])
    assert (job.status, job.error) == ("cancelled", COLLECTION_DELETED)
    assert not await service.blobs.exists(f"acme/{done.document['sha256']}")
    assert service.blobs._blobs == {}
    with pytest.raises(CollectionNotFound):
        await service.upload("three")
    await service.collection("handbook")
    assert (await service.upload("one")).document["revision"] == 1


async def test_a_deletion_that_is_cut_short_is_finished_by_a_worker(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.upload("one", document_id="a")
    await service.upload("two", document_id="b")
    await service.work_all()

    async def away(*_: object) -> None:
        raise PeerUnreachable("retriever")

    deletions = service.api.deletions
    with monkeypatch.context() as patch:
        patch.setattr(service.index, "delete_document", away)
        with pytest.raises(PeerUnreachable):
            await deletions.delete_document(service.job_owner(), "token", "handbook", "a")
    assert (await service.document("a"))["status"] == "deleting"
    service.clock.advance(3)
    await service.work_all()
    with pytest.raises(DocumentNotFound):
        await service.document("a")
    with monkeypatch.context() as patch:
        patch.setattr(service.index, "delete_collection", away)
        with pytest.raises(PeerUnreachable):
            await deletions.delete_collection(service.job_owner(), "token", "handbook")
    with pytest.raises(CollectionDeleting):
        await service.upload("three")
    await deletions.delete_collection(service.job_owner(), "token", "handbook")  # whoever asks again need not wait
    with pytest.raises(CollectionNotFound):
        await service.upload("three")
    assert set(service.blobs._blobs.values()) == {b"three"}  # the refused one; its route would drop it


async def test_bytes_that_two_documents_share_stay_until_the_last_is_deleted(service: Service) -> None:
    shared = await service.upload("same", document_id="a")
    await service.upload("same", document_id="b")
    key = f"acme/{shared.document['sha256']}"
    await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")
    assert await service.blobs.exists(key)
    await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "b")
    assert not await service.blobs.exists(key)
