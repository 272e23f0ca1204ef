from __future__ import annotations

from collections.abc import Sequence

import pytest
from services.retriever.tests.conftest import TENANT, TEXTS, Bench, chunk, facts
from services.retriever.tests.reindex.shadows import MODELS, TO_RECUT, begin, shown, stage

from contracts.retrieval.chunks import ChunkBatch, CommitRequest
from retriever.errors import (
    ChunksMissing,
    LayoutGone,
    ShadowGone,
    StaleRevision,
)
from retriever.models.protocol import EmbeddingModel
from retriever.stores import filters
from retriever.stores.points import RevisionKey


@pytest.fixture
def more_models() -> Sequence[EmbeddingModel]:
    return MODELS


async def test_a_recut_shadow_is_filled_from_outside_document_by_document(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    shadow = await begin(bench, record, TO_RECUT)
    step = await bench.parts.reindex.copy_chunks(record, shadow.generation, "token")
    assert (shadow.recut, [(each.document_id, each.revision) for each in step.wanted]) == (True, [("d", 1)])
    bench.embedder.embedded.clear()
    await stage(
        bench, record, shadow, 1, [TEXTS[0], "The harbour freezes", "in winter.", "Falcons nest", "on the tower."]
    )
    assert TEXTS[0] not in bench.embedder.embedded, "known words keep their vector"
    assert (await bench.parts.reindex.copy_chunks(record, shadow.generation, "token")).left == 0
    assert (await bench.parts.reindex.flip_shadow(record, shadow.generation)).state == "active"
    after = await bench.parts.collection_repository.get_collection(TENANT, record.name)
    assert (after.layout, after.chunking["strategy"]) == (2, "sentence")
    assert len(await shown(bench, after)) == 5
    (collection,) = await bench.parts.collection_repository.describe_collections([after])
    assert collection.chunks == 5


async def test_chunks_of_one_cut_never_get_into_a_generation_of_another(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    shadow = await begin(bench, record, TO_RECUT)
    await stage(bench, record, shadow, 1, ["One.", "Two."])
    key = RevisionKey(record.id, "d", 2)
    batch = ChunkBatch(document=facts("d"), chunks=[chunk(0, "Old cut.")])
    await bench.parts.indexing.write_chunks(record, key, batch, "token", layout=1)
    await bench.parts.reindex.flip_shadow(record, shadow.generation)
    for call in (
        bench.parts.indexing.write_chunks(record, key, batch, "token", layout=1),
        bench.parts.indexing.commit_revision(record, key, CommitRequest(document=facts("d"), chunks=1), layout=1),
    ):
        with pytest.raises(LayoutGone, match="cut for layout 1"):
            await call
    assert await shown(bench, record) == ["One.", "Two."]
    await bench.parts.indexing.write_chunks(record, key, batch, "token", layout=2)
    await bench.parts.indexing.commit_revision(record, key, CommitRequest(document=facts("d"), chunks=1), layout=2)
    assert await shown(bench, record) == ["Old cut."]


async def test_a_revision_staged_before_its_commit_is_not_waited_for(bench: Bench) -> None:
    record = await bench.create()
    shadow = await begin(bench, record, TO_RECUT)
    await bench.put(record, "d", 1, TEXTS)
    await stage(bench, record, shadow, 1, ["All of it."])
    await bench.commit(record, "d", 1, 3)
    await bench.index(record, "unstaged", 1, TEXTS)
    step = await bench.parts.reindex.copy_chunks(record, shadow.generation, "token")
    assert [each.document_id for each in step.wanted] == ["unstaged"]


async def test_staging_what_is_gone_or_incomplete_is_refused_and_leaves_nothing(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    shadow = await begin(bench, record, TO_RECUT)
    key = RevisionKey(record.id, "d", 1)
    with pytest.raises(ChunksMissing):
        wanted = CommitRequest(document=facts("d"), chunks=2)
        await bench.parts.reindex.commit_staged(record, shadow.generation, key, wanted)

    async def delete() -> None:
        bench.embedder.meanwhile = None
        await bench.delete(record, "d", 1)

    bench.embedder.meanwhile = delete
    with pytest.raises(StaleRevision):
        await stage(bench, record, shadow, 1, ["Cut anew."])
    building = await bench.parts.indexing.generations.get_by_number(record.id, shadow.generation)
    assert building is not None
    assert await bench.parts.store.count_points(building.vectors, filters.document("d")) == 0
    await bench.parts.reindex.delete_shadow(record, "k")
    with pytest.raises(ShadowGone):
        await stage(bench, record, shadow, 1, ["Cut anew."])


async def test_pages_never_mix_two_layouts(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    page = await bench.parts.indexing.list_chunks(record, "d", 1, None)
    shadow = await begin(bench, record, TO_RECUT)
    await stage(bench, record, shadow, 1, ["One.", "Two.", "Three."])
    await bench.parts.reindex.flip_shadow(record, shadow.generation)
    assert (await bench.parts.indexing.list_chunks(record, "d", 10, page.next_cursor)).data == []
