from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ingest.documents.deletions import COLLECTION_DELETED
from ingest.errors import CollectionDeleting, CollectionNotFound, DocumentNotFound
from servicekit.peers.client import PeerUnreachable

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


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
