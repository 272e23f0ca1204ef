from __future__ import annotations

from collections.abc import Sequence

import pytest
from services.retriever.tests.conftest import TENANT, TEXTS, Bench, chunk
from services.retriever.tests.reindex.shadows import MODELS, TO_OTHER, TO_RECUT, begin, copy_all, reindex, shown, stage

from contracts.retrieval.collections import Chunking
from contracts.retrieval.reindex import ReindexRequest, Shadow
from retriever.errors import EmbeddingModelUnknown, GenerationNotFound, GenerationOfSeveral, NothingToChange
from retriever.models.protocol import EmbeddingModel
from retriever.stores import filters


@pytest.fixture
def more_models() -> Sequence[EmbeddingModel]:
    return MODELS


async def test_a_reindexed_collection_has_the_same_chunks_under_the_new_model(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS, team="hr")
    await bench.index(record, "e", 1, [f"Paragraph {at}." for at in range(300)])
    before = await bench.revision()
    after = await reindex(bench, record)
    assert (after.embedding_model, after.dimensions, after.generation, after.layout) == ("other", 32, 2, 1)
    assert after.revision == before + 1
    assert await shown(bench, after) == TEXTS
    assert await shown(bench, after, "e") == [f"Paragraph {at}." for at in range(300)]
    (hit,) = (await bench.search("lantern oil", limit=1, mode="dense")).hits
    assert (hit.text, hit.metadata, hit.start) == (TEXTS[0], {"team": "hr"}, 100)
    assert await bench.parts.store.list_generations() == [after.vectors]


async def test_until_the_flip_readers_see_the_old_generation_only(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    before = await bench.search("lantern", limit=3)
    shadow = await copy_all(bench, record, await begin(bench, record))
    assert (await bench.search("lantern", limit=3)).model_dump(exclude={"timings"}) == before.model_dump(
        exclude={"timings"}
    )
    (collection,) = await bench.parts.collection_repository.describe_collections(
        [await bench.parts.collection_repository.get_collection(TENANT, record.name)]
    )
    assert (collection.index.state, collection.embedding_model) == ("building", "hashed")
    assert collection.index.shadow is not None
    assert collection.index.shadow.embedding_model == "other"
    await bench.parts.reindex.flip_shadow(record, shadow.generation)
    assert (await bench.search("lantern", limit=3, mode="dense")).usage.embedding_model == "other"


async def test_what_can_not_be_or_is_so_already_is_refused(bench: Bench) -> None:
    record = await bench.create()
    with pytest.raises(EmbeddingModelUnknown, match="'hashed', 'other'"):
        await bench.parts.reindex.plan_shadow(record, ReindexRequest(embedding_model="nope"), "token")
    for same in (ReindexRequest(), ReindexRequest(embedding_model="default", chunking=Chunking(), language="auto")):
        with pytest.raises(NothingToChange, match="embedding_model, chunking"):
            await bench.parts.reindex.plan_shadow(record, same, "token")
    assert not (await bench.parts.reindex.plan_shadow(record, TO_OTHER, "token")).recut
    assert (await bench.parts.reindex.plan_shadow(record, TO_RECUT, "token")).recut
    smaller = ReindexRequest(embedding_model="smaller")
    assert (await bench.parts.reindex.plan_shadow(record, smaller, "token")).recut, (
        "it can't read the chunks as they are"
    )


async def test_every_step_can_be_repeated_and_goes_on_where_another_stopped(bench: Bench) -> None:
    record = await bench.create()
    texts = [f"Paragraph number {at}." for at in range(500)]
    await bench.index(record, "d", 1, texts)
    first = await begin(bench, record)
    assert (await begin(bench, record)).generation == first.generation
    one = await bench.parts.reindex.copy_chunks(record, first.generation, "token")
    assert (one.copied, one.left) == (256, 1)
    assert one.progress == 0.512
    bench.embedder.embedded.clear()
    await copy_all(bench, record, first)
    assert len(bench.embedder.embedded) == 500 - 256
    assert (await bench.parts.reindex.flip_shadow(record, first.generation)).state == "active"
    assert (await bench.parts.reindex.flip_shadow(record, first.generation)).state == "active"
    assert (await begin(bench, record)).state == "active"
    assert (await bench.parts.reindex.copy_chunks(record, first.generation, "token")).state == "active"
    assert await shown(bench, record) == texts


async def test_writes_and_deletions_that_arrive_meanwhile_reach_both(bench: Bench) -> None:
    record = await bench.create()
    for name in ("kept", "changed", "deleted", "again"):
        await bench.index(record, name, 1, [f"{name} one.", f"{name} two."])
    shadow = await begin(bench, record)
    await bench.parts.reindex.copy_chunks(record, shadow.generation, "token")
    await bench.index(record, "changed", 2, ["changed three.", "changed one."])
    await bench.index(record, "new", 1, ["new one."])
    await bench.put(record, "arriving", 1, ["arriving one."])
    await bench.delete(record, "deleted", 1)
    await bench.delete(record, "again", 1)
    await bench.index(record, "again", 2, ["again two.", "again three."])
    assert (await bench.parts.reindex.flip_shadow(record, shadow.generation)).state == "active"
    after = await bench.parts.collection_repository.get_collection(TENANT, record.name)
    found = {hit.text for hit in (await bench.search("one two three", limit=50, mode="dense")).hits}
    assert found == {
        *("kept one.", "kept two.", "changed three.", "changed one.", "new one.", "arriving one."),
        *("again two.", "again three."),
    }
    await bench.commit(after, "arriving", 1, 1)
    assert await bench.parts.store.count_points(after.vectors, filters.document("deleted")) == 0
    assert await bench.parts.store.count_points(after.vectors, filters.document("changed")) == 2


async def test_a_text_is_embedded_once_for_both_generations_of_a_model(bench: Bench) -> None:
    record = await bench.create()
    await begin(bench, record, ReindexRequest(language="en"))
    await bench.put(record, "d", 1, TEXTS)
    assert bench.embedder.embedded == TEXTS


async def test_a_batch_that_a_begin_overtakes_is_written_into_the_new_shadow_too(bench: Bench) -> None:
    record = await bench.create()
    begun: list[Shadow] = []

    async def begin_once() -> None:
        bench.embedder.meanwhile = None
        begun.append(await begin(bench, record))

    bench.embedder.meanwhile = begin_once
    await bench.index(record, "d", 1, TEXTS)
    bench.embedder.embedded.clear()
    await copy_all(bench, record, begun[0])
    assert bench.embedder.embedded == [], "it was there already"
    assert (await bench.parts.reindex.flip_shadow(record, begun[0].generation)).state == "active"
    assert await shown(bench, record) == TEXTS


async def test_a_batch_that_a_whole_reindex_overtakes_ends_in_the_new_generation(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "e", 1, ["Earlier."])

    async def whole() -> None:
        bench.embedder.meanwhile = None
        await reindex(bench, record)

    bench.embedder.meanwhile = whole
    await bench.index(record, "d", 1, TEXTS)
    assert await shown(bench, record) == TEXTS
    assert {hit.document_id for hit in (await bench.search("lantern earlier", mode="dense")).hits} == {"d", "e"}


async def test_a_revision_that_arrived_before_the_shadow_and_is_not_seen_yet_can_be_committed_after_the_flip(
    bench: Bench,
) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, ["Old."])
    await bench.put(record, "d", 2, TEXTS)
    await reindex(bench, record)
    assert await shown(bench, record) == ["Old."]
    await bench.commit(record, "d", 2, 3)
    assert await shown(bench, record) == TEXTS


async def test_a_first_revision_that_is_still_arriving_has_no_gap_at_the_flip(bench: Bench) -> None:
    record = await bench.create()
    await bench.put(record, "d", 1, [chunk(at, text) for at, text in enumerate(TEXTS[:2])])
    await reindex(bench, record)
    assert {hit.text for hit in (await bench.search("lantern harbour", mode="dense")).hits} == set(TEXTS[:2])


async def test_a_search_whose_generation_is_dropped_under_it_finds_the_same_in_the_new_one(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    shadow = await copy_all(bench, record, await begin(bench, record))

    async def flip() -> None:
        bench.embedder.meanwhile = None
        await bench.parts.reindex.flip_shadow(record, shadow.generation)

    bench.embedder.meanwhile = flip  # while the query is embedded: the record that was read names the old vectors
    reply = await bench.search("lantern oil", limit=1, mode="dense")
    assert ([hit.text for hit in reply.hits], reply.usage.embedding_model) == (TEXTS[:1], None)
    assert reply.collection_revision == await bench.revision()


async def test_deleting_a_collection_takes_its_shadow_along(bench: Bench) -> None:
    record = await bench.create()
    await begin(bench, record)
    await bench.parts.collections.delete_collection(TENANT, record.name)
    assert await bench.parts.store.list_generations() == []


async def test_an_index_that_is_built_is_searched_by_those_that_name_it_until_it_is_gone(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    await bench.create("second")
    shadow = await copy_all(bench, record, await begin(bench, record))
    tried = await bench.search("lantern", mode="dense", generation=shadow.generation)
    assert (tried.usage.embedding_model, len(tried.hits)) == ("other", len(TEXTS))
    for served in (None, record.generation):
        assert (await bench.search("lantern", mode="dense", generation=served)).usage.embedding_model == "hashed"
    with pytest.raises(GenerationOfSeveral):
        await bench.search("lantern", ("handbook", "second"), generation=shadow.generation)
    with pytest.raises(GenerationNotFound, match="no generation 2"):
        await bench.search("lantern", ("second",), generation=shadow.generation)
    await bench.parts.reindex.delete_shadow(record, "k")
    with pytest.raises(GenerationNotFound):
        await bench.search("lantern", generation=shadow.generation)


async def test_other_chunks_are_found_in_the_index_that_has_them_and_never_what_was_deleted(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    await bench.index(record, "e", 1, ["A lantern of another document."])
    shadow = await begin(bench, record, TO_RECUT)
    await stage(bench, record, shadow, 1, ["The lantern burns oil. The harbour freezes in winter.", TEXTS[2]])
    hits = (await bench.search("lantern", generation=shadow.generation)).hits
    assert {hit.text for hit in hits} == {"The lantern burns oil. The harbour freezes in winter.", TEXTS[2]}
    assert {hit.text for hit in (await bench.search("lantern")).hits} == {*TEXTS, "A lantern of another document."}
    await bench.delete(record, "d", 1)
    assert not (await bench.search("lantern", generation=shadow.generation)).hits


async def test_an_index_that_has_taken_the_others_place_is_still_found_by_its_number(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    after = await reindex(bench, record)
    assert (await bench.search("lantern", mode="dense", generation=after.generation)).hits
    with pytest.raises(GenerationNotFound):
        await bench.search("lantern", generation=record.generation)
