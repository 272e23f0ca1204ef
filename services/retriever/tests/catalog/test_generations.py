from __future__ import annotations

from collections.abc import Sequence

import pytest
from services.retriever.tests.conftest import TENANT, TEXTS, Bench
from services.retriever.tests.reindex.shadows import MODELS, begin, copy_all, shown

from retriever.models.protocol import EmbeddingModel


@pytest.fixture
def more_models() -> Sequence[EmbeddingModel]:
    return MODELS


async def test_a_flip_waits_for_what_is_missing(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    shadow = await begin(bench, record)
    early = await bench.parts.reindex.flip_shadow(record, shadow.generation)
    assert (early.state, early.left) == ("building", 1)
    assert (await bench.parts.collection_repository.get_collection(TENANT, record.name)).generation == 1


async def test_an_abandoned_shadow_leaves_the_old_generation_and_never_begins_again(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    shadow = await begin(bench, record)
    await bench.parts.reindex.copy_chunks(record, shadow.generation, "token")
    before = await bench.revision()
    for _ in range(2):
        await bench.parts.reindex.delete_shadow(record, "k")
    assert await bench.parts.store.list_generations() == [record.vectors]
    assert (await begin(bench, record)).state == "gone"
    assert (await bench.parts.reindex.copy_chunks(record, shadow.generation, "token")).state == "gone"
    assert (await bench.parts.reindex.flip_shadow(record, shadow.generation)).state == "gone"
    await bench.parts.reindex.delete_shadow(record, "never begun")
    assert (await begin(bench, record, key="never begun")).state == "gone"
    assert (await bench.revision(), await shown(bench, record)) == (before, TEXTS)
    again = await copy_all(bench, record, await begin(bench, record, key="k2"))
    assert (await bench.parts.reindex.flip_shadow(record, again.generation)).state == "active"


async def test_a_shadow_takes_the_place_of_an_earlier_one(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    first = await begin(bench, record, key="one")
    second = await begin(bench, record, key="two")
    assert (await bench.parts.reindex.copy_chunks(record, first.generation, "token")).state == "gone"
    assert len(await bench.parts.store.list_generations()) == 2
    await copy_all(bench, record, second)
    assert (await bench.parts.reindex.flip_shadow(record, first.generation)).state == "gone"
    assert (await bench.parts.reindex.flip_shadow(record, second.generation)).state == "active"


async def test_a_start_removes_what_a_flip_or_an_abandoned_shadow_left(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    shadow = await copy_all(bench, record, await begin(bench, record))
    generations = bench.parts.indexing.generations
    live = await generations.get_live(record.id)
    assert live.shadow is not None
    assert await generations.flip(live.active, live.shadow)  # dies before it drops the old vectors
    assert len(await bench.parts.store.list_generations()) == 2
    await bench.parts.collections.cleanup(owns_store=False)
    assert await bench.parts.store.list_generations() == [live.shadow.vectors]
    assert shadow.generation == live.shadow.number
