from __future__ import annotations

import asyncio

import pytest
from services.retriever.tests.conftest import TENANT, Bench, facts

from contracts.retrieval.collections import Chunking, CollectionCreate, VectorOptions
from retriever.errors import CollectionExists, CollectionNotFound, EmbeddingModelUnknown
from retriever.stores import filters
from retriever.stores.points import RevisionKey


async def test_a_collection_is_bound_to_the_concrete_model_of_its_making(bench: Bench) -> None:
    wanted = CollectionCreate(name="handbook", description="Rules", chunking=Chunking(max_tokens=200, overlap=20))
    made = await bench.parts.collections.create_collection(TENANT, wanted, "token")
    assert (made.embedding_model, made.dimensions, made.max_input_tokens) == ("hashed", 64, 256)
    assert (made.name, made.description, made.chunking) == ("handbook", "Rules", wanted.chunking)
    assert (made.documents, made.chunks, made.revision) == (0, 0, 0)
    assert (made.index.state, made.index.generation) == ("green", 1)


async def test_a_collection_shows_the_options_it_was_made_with(bench: Bench) -> None:
    options = VectorOptions(quantization="scalar", on_disk=True)
    wanted = CollectionCreate(name="handbook", language="de", vectors=options, rerank=True)
    made = await bench.parts.collections.create_collection(TENANT, wanted, "token")
    assert (made.language, made.vectors, made.rerank) == ("de", options, True)


async def test_an_unknown_model_is_refused_with_the_known_ones(bench: Bench) -> None:
    with pytest.raises(EmbeddingModelUnknown, match="Known here: 'hashed'"):
        await bench.parts.collections.create_collection(
            TENANT, CollectionCreate(name="a", embedding_model="nope"), "token"
        )
    assert await bench.parts.collection_repository.list_collections(TENANT, "", 10, None) == []


async def test_of_many_that_make_the_same_name_one_succeeds(bench: Bench) -> None:
    wanted = CollectionCreate(name="handbook")
    results = await asyncio.gather(
        *(bench.parts.collections.create_collection(TENANT, wanted, "token") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, CollectionExists) for result in results) == 4
    assert len(await bench.parts.store.list_generations()) == 1


async def test_deleting_removes_the_vectors_too_and_can_be_repeated(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "a", 1, ["One."])
    await bench.parts.collections.delete_collection(TENANT, "handbook")
    await bench.parts.collections.delete_collection(TENANT, "handbook")
    assert await bench.parts.store.list_generations() == []
    with pytest.raises(CollectionNotFound):
        await bench.parts.collection_repository.get_collection(TENANT, "handbook")


async def test_a_deletion_that_died_half_way_is_hidden_and_ends_at_the_next_start(bench: Bench) -> None:
    await bench.create()
    await bench.parts.collection_repository.begin_deletion(TENANT, "handbook")
    with pytest.raises(CollectionNotFound):
        await bench.search("anything")
    assert len(await bench.parts.store.list_generations()) == 1
    await bench.parts.collections.cleanup(owns_store=False)
    assert await bench.parts.store.list_generations() == []
    assert await bench.parts.collection_repository.list_deletions() == []


async def test_a_name_whose_deletion_died_half_way_can_be_made_again(bench: Bench) -> None:
    old = await bench.create()
    await bench.parts.collection_repository.begin_deletion(TENANT, "handbook")
    new = await bench.create()
    assert new.id != old.id
    assert await bench.parts.store.list_generations() == [new.vectors]


async def test_a_start_removes_points_that_a_dying_process_left(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "a", 1, ["One.", "Two."])
    await bench.put(record, "a", 2, ["Uno."])
    revisions = bench.parts.collections.revisions
    live = await bench.parts.indexing.generations.get_live(record.id)
    key = RevisionKey(record.id, "a", 2)
    await revisions.commit_revision(key, facts("a"), 1, live, whole=False)  # dies before it drops what is stale
    await bench.index(record, "b", 1, ["One."])
    await revisions.delete_revisions(RevisionKey(record.id, "b", 1))  # dies before it drops the points
    await bench.parts.collections.cleanup(owns_store=False)
    assert await bench.parts.store.count_points(record.vectors, filters.document("a")) == 1
    assert await bench.parts.store.count_points(record.vectors, filters.document("b")) == 0
    assert await revisions.list_cleanups(10) == []
    assert [hit.text for hit in (await bench.search("uno")).hits] == ["Uno."]


async def test_a_start_removes_vectors_of_no_collection_only_where_nobody_else_can_own_them(bench: Bench) -> None:
    record = await bench.create()
    await bench.parts.store.create_generation("orphan", 8)
    await bench.parts.collections.cleanup(owns_store=False)
    assert "orphan" in await bench.parts.store.list_generations()
    await bench.parts.collections.cleanup(owns_store=True)
    assert await bench.parts.store.list_generations() == [record.vectors]
