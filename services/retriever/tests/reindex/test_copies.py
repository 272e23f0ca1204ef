from __future__ import annotations

from collections.abc import Sequence

import pytest
from services.retriever.tests.conftest import TENANT, TEXTS, Bench, chunk
from services.retriever.tests.reindex.shadows import MODELS, begin, copy_all, reindex, shown

from contracts.retrieval.collections import VectorOptions
from contracts.retrieval.reindex import ReindexRequest
from retriever.models.protocol import EmbeddingModel
from retriever.stores import filters
from retriever.stores.points import StoredPoint
from servicekit.core.errors import UpstreamFailed


@pytest.fixture
def more_models() -> Sequence[EmbeddingModel]:
    return MODELS


async def test_only_a_model_that_is_another_embeds_anything(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    bench.embedder.embedded.clear()
    await reindex(bench, record, ReindexRequest(vectors=VectorOptions(quantization="scalar")))
    assert bench.embedder.embedded == []
    assert [hit.text for hit in (await bench.search("lantern oil", limit=1, mode="dense")).hits] == TEXTS[:1]


async def test_a_model_that_moves_queries_alone_embeds_no_passage_in_either_direction(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    bench.embedder.models["over"] = EmbeddingModel("over", 64, 256, below=bench.embedder.served.name)
    bench.embedder.embedded.clear()
    for name in ("over", bench.embedder.served.name):
        record = await reindex(bench, record, ReindexRequest(embedding_model=name), key=name)
        assert bench.embedder.embedded == []
        assert record.embedding_model == name
        assert [hit.text for hit in (await bench.search("lantern oil", limit=1, mode="dense")).hits] == TEXTS[:1]
        bench.embedder.embedded.clear()


async def test_a_model_that_moves_queries_over_another_one_embeds_all_passages(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    bench.embedder.models["over"] = EmbeddingModel("over", 64, 256, below="other")
    bench.embedder.embedded.clear()
    await reindex(bench, record, ReindexRequest(embedding_model="over"))
    assert len(bench.embedder.embedded) == len(TEXTS)


async def test_the_chunks_of_a_revision_that_began_to_arrive_before_the_shadow_are_not_missed(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "e", 1, ["Old."])
    for name in ("d", "e"):
        await bench.put(record, name, 2, [chunk(0, TEXTS[0])])
    shadow = await copy_all(bench, record, await begin(bench, record))
    for name in ("d", "e"):
        await bench.put(record, name, 2, [chunk(1, TEXTS[1])])
        await bench.commit(record, name, 2, 2)
    assert (await copy_all(bench, record, shadow)).left == 0
    assert (await bench.parts.reindex.flip_shadow(record, shadow.generation)).state == "active"
    for name in ("d", "e"):
        assert await shown(bench, record, name) == TEXTS[:2]


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_a_document_that_goes_while_it_is_copied_does_not_come_back(bench: Bench, how: str) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    shadow = await begin(bench, record)

    async def overtake() -> None:
        bench.embedder.meanwhile = None
        if how == "deleted":
            await bench.delete(record, "d", 1)
        else:
            await bench.index(record, "d", 2, ["The lantern burns gas."])

    bench.embedder.meanwhile = overtake
    await copy_all(bench, record, shadow)
    await bench.parts.reindex.flip_shadow(record, shadow.generation)
    after = await bench.parts.collection_repository.get_collection(TENANT, record.name)
    assert after.generation == shadow.generation
    expected = [] if how == "deleted" else ["The lantern burns gas."]
    assert [hit.text for hit in (await bench.search("lantern", limit=50)).hits] == expected
    assert await bench.parts.store.count_points(after.vectors, filters.document("d")) == len(expected)


async def test_a_model_that_fails_harms_no_upload_and_the_document_is_copied_later(bench: Bench) -> None:
    record = await bench.create()
    shadow = await begin(bench, record)
    bench.embedder.broken["other"] = UpstreamFailed("Broken.")
    await bench.index(record, "d", 1, TEXTS)
    assert (await bench.parts.reindex.flip_shadow(record, shadow.generation)).left == 1
    with pytest.raises(UpstreamFailed):
        await bench.parts.reindex.copy_chunks(record, shadow.generation, "token")
    bench.embedder.broken.clear()
    await copy_all(bench, record, shadow)
    assert (await bench.parts.reindex.flip_shadow(record, shadow.generation)).state == "active"
    assert await shown(bench, record) == TEXTS


async def test_a_batch_that_the_shadow_misses_while_its_document_is_copied_is_copied_later(bench: Bench) -> None:
    record = await bench.create()
    await bench.put(record, "d", 1, [chunk(0, TEXTS[0])])
    shadow = await begin(bench, record)
    fetch = bench.parts.store.get_points

    async def missing_meanwhile(generation: str, ids: Sequence[str]) -> dict[str, StoredPoint]:
        found = await fetch(generation, ids)
        if generation != record.vectors and found:  # all that had come is in the shadow
            bench.parts.store.get_points = fetch  # type: ignore[method-assign]
            bench.embedder.broken["other"] = UpstreamFailed("Broken.")
            await bench.put(record, "d", 1, [chunk(1, TEXTS[1])])
            bench.embedder.broken.clear()
        return found

    bench.parts.store.get_points = missing_meanwhile  # type: ignore[method-assign]
    assert (await bench.parts.reindex.copy_chunks(record, shadow.generation, "token")).left == 1
    assert (await bench.parts.reindex.flip_shadow(record, shadow.generation)).state == "building"
    await copy_all(bench, record, shadow)
    assert (await bench.parts.reindex.flip_shadow(record, shadow.generation)).state == "active"
    assert {hit.text for hit in (await bench.search("lantern harbour", mode="dense")).hits} == {*TEXTS[:2]}
    await bench.commit(record, "d", 1, 2)
