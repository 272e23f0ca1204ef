from __future__ import annotations

import pytest
from services.retriever.tests.conftest import TENANT, Bench

from contracts.retrieval.collections import CollectionChange
from retriever.errors import CollectionNotFound


async def test_a_change_shows_raises_the_revision_and_leaves_the_rest(bench: Bench) -> None:
    made = await bench.create()
    changed = await bench.parts.collection_repository.update_collection(
        TENANT, "handbook", CollectionChange(rerank=True)
    )
    assert (changed.rerank, changed.description, changed.revision) == (True, "", made.revision + 1)
    changed = await bench.parts.collection_repository.update_collection(
        TENANT, "handbook", CollectionChange(description="Rules")
    )
    assert (changed.rerank, changed.description, changed.revision) == (True, "Rules", made.revision + 2)
    with pytest.raises(CollectionNotFound):
        await bench.parts.collection_repository.update_collection("globex", "handbook", CollectionChange(rerank=False))
    await bench.parts.collections.delete_collection(TENANT, "handbook")
    with pytest.raises(CollectionNotFound):
        await bench.parts.collection_repository.update_collection(TENANT, "handbook", CollectionChange(rerank=False))


async def test_a_rerank_model_is_named_replaced_and_the_default_one_again(bench: Bench) -> None:
    made = await bench.create(rerank_model="reader+handbook")
    assert made.rerank_model == "reader+handbook"
    for named, kept in (("other", "other"), (None, "other"), ("default", None)):
        change = CollectionChange(rerank_model=named, description="Rules")
        changed = await bench.parts.collection_repository.update_collection(TENANT, "handbook", change)
        assert changed.rerank_model == kept
    (shown,) = await bench.parts.collection_repository.describe_collections([changed])
    assert shown.rerank_model is None


async def test_who_decides_that_there_is_no_answer_is_said_kept_and_left_to_the_key_again(bench: Bench) -> None:
    made = await bench.create(abstain="reader")
    assert made.abstain == "reader"
    for wanted, kept in (("never", "never"), (None, "never"), ("default", None)):
        change = CollectionChange(abstain=wanted, description="Rules")
        changed = await bench.parts.collection_repository.update_collection(TENANT, "handbook", change)
        (shown,) = await bench.parts.collection_repository.describe_collections([changed])
        assert shown.abstain == kept


async def test_the_same_name_is_free_in_another_tenant(bench: Bench) -> None:
    await bench.create()
    await bench.create(tenant="globex")
    assert len(await bench.parts.collection_repository.list_collections("globex", "", 10, None)) == 1


async def test_counts_are_of_what_is_visible(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "a", 1, ["One.", "Two."])
    await bench.index(record, "b", 1, ["One."])
    await bench.put(record, "b", 2, ["Uno.", "Dos."])
    await bench.index(record, "c", 1, ["One."])
    await bench.delete(record, "c", 1)
    (shown,) = await bench.parts.collection_repository.describe_collections([record])
    assert (shown.documents, shown.chunks) == (2, 3)


async def test_collections_are_listed_by_name_in_pages_and_within_what_is_allowed(bench: Bench) -> None:
    for name in ("c", "a", "b", "d"):
        await bench.create(name)
    pages = [
        await bench.parts.collection_repository.list_collections(TENANT, after, 2, None) for after in ("", "b", "d")
    ]
    assert [[record.name for record in page] for page in pages] == [["a", "b"], ["c", "d"], []]
    allowed = await bench.parts.collection_repository.list_collections(TENANT, "", 10, ("b", "d", "x"))
    assert [record.name for record in allowed] == ["b", "d"]
