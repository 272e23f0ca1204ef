from __future__ import annotations

import asyncio

import pytest
from services.retriever.tests.conftest import TENANT, TEXTS, Bench, chunk

from retriever.errors import ChunksMissing, CollectionNotFound, DocumentNotFound, MetadataUnusable, StaleRevision
from retriever.stores import filters


async def test_a_batch_sent_again_changes_nothing(bench: Bench) -> None:
    record = await bench.create()
    await bench.put(record, "d", 1, TEXTS)
    again = await bench.put(record, "d", 1, TEXTS)
    assert (again.embedded, again.reused) == (0, 3)
    await bench.commit(record, "d", 1, 3)
    assert len((await bench.search("the", limit=50, mode="dense")).hits) == 3


async def test_a_first_revision_is_searchable_as_it_arrives_and_each_batch_counts(bench: Bench) -> None:
    record = await bench.create()
    await bench.put(record, "d", 1, [chunk(0, TEXTS[0])])
    assert [hit.text for hit in (await bench.search("lantern")).hits] == [TEXTS[0]]
    assert await bench.revision() == 1
    await bench.put(record, "d", 1, [chunk(1, TEXTS[1])])
    assert (await bench.revision(), len((await bench.search("the winter lantern")).hits)) == (2, 2)


async def test_a_later_revision_is_seen_whole_at_its_commit_and_not_before(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    before = await bench.revision()
    await bench.put(record, "d", 2, ["The lantern burns gas."])
    hits = (await bench.search("lantern", limit=50)).hits
    assert {hit.revision for hit in hits} == {1}
    assert await bench.revision() == before
    committed = await bench.commit(record, "d", 2, 1)
    hits = (await bench.search("lantern", limit=50)).hits
    assert [(hit.text, hit.revision) for hit in hits] == [("The lantern burns gas.", 2)]
    assert committed.collection_revision == await bench.revision() == before + 1


async def test_a_commit_names_what_is_missing_and_can_be_sent_again(bench: Bench) -> None:
    record = await bench.create()
    await bench.put(record, "d", 1, TEXTS[:2])
    with pytest.raises(ChunksMissing, match="should have 3 chunks with ordinals from 0, but 2"):
        await bench.commit(record, "d", 1, 3)
    await bench.put(record, "d", 1, [chunk(2, TEXTS[2])])
    first = await bench.commit(record, "d", 1, 3)
    again = await bench.commit(record, "d", 1, 3)
    assert (first.chunks, again.chunks) == (3, 3)
    assert first.collection_revision == again.collection_revision == await bench.revision()


async def test_chunks_of_an_attempt_that_cut_otherwise_are_dropped_at_the_commit(bench: Bench) -> None:
    record = await bench.create()
    await bench.put(record, "d", 1, ["One.", "Two.", "Three.", "Four."])
    await bench.put(record, "d", 1, ["One and two.", "Three and four."])
    await bench.commit(record, "d", 1, 2)
    assert {hit.text for hit in (await bench.search("one two three four", limit=50)).hits} == {
        "One and two.",
        "Three and four.",
    }


async def test_a_gap_in_the_ordinals_is_not_complete(bench: Bench) -> None:
    record = await bench.create()
    await bench.put(record, "d", 1, [chunk(0, "One."), chunk(2, "Three.")])
    with pytest.raises(ChunksMissing):
        await bench.commit(record, "d", 1, 2)


async def test_a_document_may_be_empty(bench: Bench) -> None:
    record = await bench.create()
    assert (await bench.commit(record, "d", 1, 0)).chunks == 0
    assert (await bench.parts.indexing.list_chunks(record, "d", 10, None)).data == []
    await bench.index(record, "e", 1, TEXTS)
    assert (await bench.commit(record, "e", 2, 0)).stale_deleted == 3
    assert (await bench.search("lantern")).hits == []


async def test_a_batch_that_a_deletion_overtakes_takes_back_what_it_wrote(bench: Bench) -> None:
    record = await bench.create()
    bench.embedder.meanwhile = lambda: bench.delete(record, "d", 1)
    with pytest.raises(StaleRevision):
        await bench.put(record, "d", 1, TEXTS)
    assert (await bench.search("lantern", mode="sparse")).hits == []
    assert await bench.parts.store.count_points(record.vectors, filters.document("d")) == 0


async def test_concurrent_batches_and_repeats_converge(bench: Bench) -> None:
    record = await bench.create()
    texts = [f"Paragraph {at} about {'lanterns' if at % 2 else 'falcons'}." for at in range(40)]
    chunks = [chunk(at, text) for at, text in enumerate(texts)]
    batches = [chunks[at : at + 10] for at in range(0, 40, 10)]
    await asyncio.gather(*(bench.put(record, "d", 1, batch) for batch in batches * 2))
    results = await asyncio.gather(*(bench.commit(record, "d", 1, 40) for _ in range(3)), return_exceptions=True)
    assert all(not isinstance(result, BaseException) or isinstance(result, StaleRevision) for result in results)
    page = await bench.parts.indexing.list_chunks(record, "d", 100, None)
    assert [each.text for each in page.data] == texts


async def test_chunks_are_paged_by_ordinal(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, [f"Paragraph {at}." for at in range(7)])
    seen, cursor = [], None
    while True:
        page = await bench.parts.indexing.list_chunks(record, "d", 3, cursor)
        seen += [(each.ordinal, each.text, each.start, each.revision) for each in page.data]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [(at, f"Paragraph {at}.", 100, 1) for at in range(7)]
    with pytest.raises(DocumentNotFound):
        await bench.parts.indexing.list_chunks(record, "unknown", 3, None)


async def test_a_page_never_mixes_two_revisions(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, ["One.", "Two.", "Three."])
    page = await bench.parts.indexing.list_chunks(record, "d", 1, None)
    await bench.index(record, "d", 2, ["Uno.", "Dos.", "Tres."])
    rest = await bench.parts.indexing.list_chunks(record, "d", 10, page.next_cursor)
    assert (rest.data, rest.next_cursor) == ([], None)


async def test_unusable_metadata_is_refused_before_anything_is_written(bench: Bench) -> None:
    record = await bench.create()
    with pytest.raises(MetadataUnusable):
        await bench.put(record, "d", 1, TEXTS, wide=list(range(1000)))
    assert await bench.parts.indexing.get_newest_revision(record, "d") == 0


async def test_writing_into_a_collection_that_was_deleted_meanwhile_finds_none(bench: Bench) -> None:
    record = await bench.create()
    await bench.parts.collections.delete_collection(TENANT, "handbook")
    with pytest.raises(CollectionNotFound):
        await bench.put(record, "d", 1, TEXTS)
    with pytest.raises(CollectionNotFound):
        await bench.commit(record, "d", 1, 0)
    with pytest.raises(CollectionNotFound):
        await bench.delete(record, "d", 1)
