"""The index in memory refuses what the real one refuses, or tests over it would prove nothing."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from contracts.retrieval.chunks import ChunkBatch, ChunkInput, CommitRequest, DocumentFacts
from contracts.retrieval.collections import CollectionChange, CollectionCreate
from contracts.retrieval.reindex import ReindexRequest, ShadowRequest
from ingest.testing.index import MemoryIndex
from servicekit.core.errors import PeerError

FACTS = DocumentFacts(title="T", source="s", media_type="text/plain")
TO_GERMAN = ReindexRequest(language="de")
RECUT = ReindexRequest.model_validate({"chunking": {"strategy": "fixed", "max_tokens": 16}})


def batch(*ordinals: int) -> ChunkBatch:
    chunks = [ChunkInput(ordinal=each, text=f"chunk {each}", start=0, end=7) for each in ordinals]
    return ChunkBatch(document=FACTS, chunks=chunks)


def whole(chunks: int) -> CommitRequest:
    return CommitRequest(document=FACTS, chunks=chunks)


async def refusal(call: Awaitable[object]) -> tuple[int, str]:
    with pytest.raises(PeerError) as refused:
        await call
    return refused.value.http_status, refused.value.code


@pytest.fixture
async def index() -> MemoryIndex:
    made = MemoryIndex()
    await made.create_collection("t", CollectionCreate(name="c"))
    return made


async def test_a_collection_is_made_once_changed_and_gone_with_its_documents(index: MemoryIndex) -> None:
    assert await refusal(index.create_collection("t", CollectionCreate(name="c"))) == (409, "collection_exists")
    changed = await index.update_collection("t", "c", CollectionChange(rerank=True))
    assert (changed.rerank, changed.revision) == (True, 1)
    await index.put_chunks("t", "c", "d", 1, batch(0), 1)
    for _ in range(2):
        await index.delete_collection("t", "c")
    assert await refusal(index.get_collection("t", "c")) == (404, "collection_not_found")
    assert index.documents == {}


async def test_a_revision_is_committed_when_all_of_it_is_there_and_again_as_often_as_asked(index: MemoryIndex) -> None:
    await index.put_chunks("t", "c", "d", 1, batch(0, 2), 1)
    assert await refusal(index.commit("t", "c", "d", 1, whole(3), 1)) == (409, "chunks_missing")
    assert [chunk.ordinal for chunk in index.found("c", "d")] == [0, 2], "a first revision is found as it arrives"
    await index.put_chunks("t", "c", "d", 1, batch(1), 1)
    for _ in range(2):
        assert (await index.commit("t", "c", "d", 1, whole(3), 1)).chunks == 3


async def test_a_revision_at_or_below_the_fence_comes_too_late(index: MemoryIndex) -> None:
    await index.put_whole("t", "c", "d", 2, batch(0), 1)
    assert await refusal(index.put_chunks("t", "c", "d", 1, batch(0), 1)) == (409, "stale_revision")
    await index.delete_document("t", "c", "d", 5)
    assert await refusal(index.put_chunks("t", "c", "d", 5, batch(0), 1)) == (409, "stale_revision")
    assert index.found("c", "d") == []
    await index.put_whole("t", "c", "d", 6, batch(0), 1)
    assert len(index.found("c", "d")) == 1


async def test_a_later_revision_is_not_found_before_its_commit(index: MemoryIndex) -> None:
    await index.put_whole("t", "c", "d", 1, batch(0), 1)
    await index.put_chunks("t", "c", "d", 2, batch(0, 1), 1)
    assert len(index.found("c", "d")) == 1
    await index.commit("t", "c", "d", 2, whole(2), 1)
    assert len(index.found("c", "d")) == 2
    assert await refusal(index.get_embeddings("t", "c", "d", 1, 0, 9)) == (404, "document_not_found")


async def test_what_is_sent_whole_is_kept_where_only_the_commit_fails(index: MemoryIndex) -> None:
    indexed = await index.put_whole("t", "c", "d", 1, batch(1, 2), 1)
    assert (indexed.embedded, indexed.committed) == (2, None)
    assert (await index.put_whole("t", "c", "d", 1, batch(0), 1)).committed is None, "three are there, not one"
    assert (await index.commit("t", "c", "d", 1, whole(3), 1)).chunks == 3


async def test_chunks_for_another_layout_are_refused(index: MemoryIndex) -> None:
    assert await refusal(index.put_chunks("t", "c", "d", 1, batch(0), 2)) == (409, "layout_gone")


async def test_a_shadow_copies_what_is_there_and_then_serves(index: MemoryIndex) -> None:
    await index.put_whole("t", "c", "d", 1, batch(0), 1)
    assert await refusal(index.plan_shadow("t", "c", ReindexRequest())) == (400, "nothing_to_change")
    shadow = await index.begin_shadow("t", "c", ShadowRequest(key="k", wanted=TO_GERMAN))
    assert (shadow.left, (await index.flip_shadow("t", "c", shadow.generation)).state) == (1, "building")
    await index.copy_shadow("t", "c", shadow.generation)
    assert (await index.flip_shadow("t", "c", shadow.generation)).state == "active"
    assert (await index.get_collection("t", "c")).language == "de"


async def test_a_shadow_that_is_cut_anew_waits_for_its_documents(index: MemoryIndex) -> None:
    await index.put_whole("t", "c", "d", 1, batch(0), 1)
    number = (await index.begin_shadow("t", "c", ShadowRequest(key="k", wanted=RECUT))).generation
    (wanted,) = (await index.copy_shadow("t", "c", number)).wanted
    assert (wanted.document_id, wanted.revision) == ("d", 1)
    await index.stage_chunks("t", "c", number, "d", 1, batch(0, 2))
    assert await refusal(index.stage_commit("t", "c", number, "d", 1, whole(3))) == (409, "chunks_missing")
    await index.stage_chunks("t", "c", number, "d", 1, batch(1))
    await index.stage_commit("t", "c", number, "d", 1, whole(3))
    await index.flip_shadow("t", "c", number)
    assert len(index.found("c", "d")) == 3
    assert (await index.get_collection("t", "c")).index.layout == number


async def test_an_abandoned_shadow_is_gone_for_good(index: MemoryIndex) -> None:
    request = ShadowRequest(key="k", wanted=TO_GERMAN)
    number = (await index.begin_shadow("t", "c", request)).generation
    for _ in range(2):
        await index.abandon_shadow("t", "c", "k")
    assert await refusal(index.stage_chunks("t", "c", number, "d", 1, batch(0))) == (409, "shadow_gone")
    assert (await index.begin_shadow("t", "c", request)).state == "gone"
    assert (await index.get_collection("t", "c")).index.shadow is None
