"""Collections that leave their embedding model to their first document."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from services.retriever.tests.conftest import TENANT, Bench

from contracts.models.reading import Languages
from contracts.retrieval.collections import AUTO_MODEL, CollectionCreate
from contracts.retrieval.reindex import ReindexRequest
from retriever.catalog.collections import CollectionRecord
from retriever.errors import CollectionUnbound
from retriever.models.protocol import EmbeddingModel
from servicekit.core.errors import UpstreamFailed

ENGLISH = "The lantern burns oil, and it is filled once a day by the keeper of the tower."
GERMAN = "Der Vertrag verlängert sich um ein Jahr, wenn er nicht drei Monate vor dem Ablauf gekündigt wird."


@pytest.fixture
def reads() -> Languages:
    return ("en",)


@pytest.fixture(params=[64, 32], ids=["vectors of one length", "vectors of two lengths"])
def more_models(request: pytest.FixtureRequest) -> Sequence[EmbeddingModel]:
    return (EmbeddingModel("many", request.param, 512, "all"),)


async def bind(bench: Bench, record: CollectionRecord, text: str) -> CollectionRecord:
    return await bench.parts.collections.bind_collection(record, text, "token")


async def test_an_empty_collection_says_that_it_waits_and_is_searched_without_an_error(bench: Bench) -> None:
    made = await bench.parts.collections.create_collection(TENANT, CollectionCreate(name="handbook"), "token")
    assert (made.embedding_model, made.embedding_model_reason) == (AUTO_MODEL, None)
    for mode in ("hybrid", "dense", "sparse"):
        reply = await bench.search("lantern", mode=mode)
        assert (reply.hits, reply.degraded, reply.usage.embedding_tokens) == ([], [], 0)
    assert bench.embedder.embedded == []


@pytest.mark.parametrize(("text", "model"), [(ENGLISH, "hashed"), (GERMAN, "many"), (ENGLISH + GERMAN, "many")])
async def test_the_first_document_chooses_and_the_collection_says_why(bench: Bench, text: str, model: str) -> None:
    record = await bind(bench, await bench.create(), text)
    shown = await bench.parts.collections.describe_collection(record)
    assert (shown.embedding_model, shown.max_input_tokens) == (model, 256 if model == "hashed" else 512)
    assert "its first document is in" in (shown.embedding_model_reason or "")
    assert shown.index.points == 0, "its place in the vector store is there"
    assert len(await bench.parts.store.list_generations()) == 1, "and no other one"
    await bench.index(record, "a", 1, [text])
    assert [hit.text for hit in (await bench.search(text)).hits] == [text]


async def test_a_collection_is_bound_once_and_stays_so(bench: Bench) -> None:
    record = await bench.create()
    bound = await bind(bench, record, GERMAN)
    assert await bind(bench, bound, ENGLISH) == bound
    assert await bind(bench, record, ENGLISH) == bound, (
        "one that read the collection before it was bound changes nothing"
    )


async def test_first_documents_at_once_end_with_one_model_and_one_place(bench: Bench) -> None:
    record = await bench.create()
    bound = await asyncio.gather(*(bind(bench, record, text) for text in (ENGLISH, GERMAN) * 4))
    assert len({(each.embedding_model, each.vectors) for each in bound}) == 1
    assert await bench.parts.store.list_generations() == [bound[0].vectors]


async def test_a_first_document_that_fails_leaves_the_choice_to_the_next(bench: Bench) -> None:
    record = await bench.create()
    bench.embedder.failure = UpstreamFailed("Inference is away.")
    with pytest.raises(UpstreamFailed):
        await bind(bench, record, GERMAN)
    bench.embedder.failure = None
    assert (await bind(bench, record, ENGLISH)).embedding_model == "hashed"


async def test_a_model_that_turns_out_not_to_load_is_passed_over_and_one_that_is_away_is_waited_for(
    bench: Bench,
) -> None:
    record, many = await bench.create(), bench.embedder.models["many"]
    bench.embedder.broken["many"] = UpstreamFailed("It did not load.")
    with pytest.raises(UpstreamFailed):
        await bind(bench, record, GERMAN)

    async def found_out() -> None:
        bench.embedder.models["many"] = replace(many, is_failed=True)

    bench.embedder.meanwhile = found_out
    bound = await bind(bench, record, GERMAN)
    assert bound.embedding_model == "hashed"
    shown = await bench.parts.collections.describe_collection(bound)
    assert "many, which reads it, could not be loaded" in (shown.embedding_model_reason or "")


async def test_no_place_of_vectors_goes_while_a_backup_names_it(bench: Bench) -> None:
    record = await bench.create()
    async with bench.parts.collections.backup_lock.hold():
        bound = await bind(bench, record, GERMAN)
        assert record.vectors in await bench.parts.store.list_generations()
    assert bound.vectors in await bench.parts.store.list_generations()


@pytest.mark.parametrize(("language", "model"), [("en", "hashed"), ("de", "many"), ("zh", "many")])
async def test_a_language_that_is_given_decides_at_once(bench: Bench, language: str, model: str) -> None:
    wanted = CollectionCreate(name="handbook", language=language)
    made = await bench.parts.collections.create_collection(TENANT, wanted, "token")
    assert (made.embedding_model, made.embedding_model_reason) == (model, f"it is in {language}")


async def test_a_model_that_is_named_needs_no_reason(bench: Bench) -> None:
    for named, model in (("default", "hashed"), ("many", "many")):
        wanted = CollectionCreate(name=named, embedding_model=named)
        made = await bench.parts.collections.create_collection(TENANT, wanted, "token")
        assert (made.embedding_model, made.embedding_model_reason) == (model, None)


async def test_bound_collections_are_searched_beside_empty_ones(bench: Bench) -> None:
    await bench.create("empty")
    record = await bind(bench, await bench.create("full"), ENGLISH)
    await bench.index(record, "a", 1, [ENGLISH])
    reply = await bench.search("lantern", ("empty", "full"))
    assert [hit.collection for hit in reply.hits] == ["full"]
    assert set(reply.collection_revisions) == {"empty", "full"}


async def test_an_empty_collection_is_not_reindexed_but_can_be_deleted(bench: Bench) -> None:
    record = await bench.create()
    wanted = ReindexRequest(embedding_model="many")
    with pytest.raises(CollectionUnbound, match="create it with the embedding_model"):
        await bench.parts.reindex.plan_shadow(record, wanted, "token")
    with pytest.raises(CollectionUnbound):
        await bench.parts.reindex.create_shadow(record, "k", wanted, "token")
    await bench.parts.collections.delete_collection(TENANT, "handbook")
    assert await bench.parts.store.list_generations() == []
