from __future__ import annotations

import pytest
from services.retriever.tests.conftest import TEXTS, Bench

from retriever.errors import StaleRevision


async def test_revisions_at_or_below_the_committed_one_are_refused(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 3, TEXTS)
    for revision in (1, 3):
        with pytest.raises(StaleRevision, match="up to 3"):
            await bench.put(record, "d", revision, ["late"])
    with pytest.raises(StaleRevision):
        await bench.commit(record, "d", 2, 0)
    assert [hit.text for hit in (await bench.search("late", mode="sparse")).hits] == []


async def test_a_late_batch_cannot_bring_a_deleted_document_back(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    before = await bench.revision()
    await bench.delete(record, "d", 2)
    assert (await bench.search("lantern")).hits == []
    assert await bench.revision() == before + 1
    with pytest.raises(StaleRevision):
        await bench.put(record, "d", 2, TEXTS)
    with pytest.raises(StaleRevision):
        await bench.commit(record, "d", 2, 0)
    await bench.delete(record, "d", 2)
    assert await bench.revision() == before + 1
    await bench.index(record, "d", 3, TEXTS)
    assert len((await bench.search("lantern")).hits) == 3


async def test_an_unknown_document_can_be_fenced_off_before_it_arrives(bench: Bench) -> None:
    record = await bench.create()
    await bench.delete(record, "d", 1)
    with pytest.raises(StaleRevision):
        await bench.put(record, "d", 1, TEXTS)
    assert await bench.revision() == 0


async def test_deleting_an_old_revision_leaves_the_newer_one(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 5, TEXTS)
    await bench.delete(record, "d", 4)
    assert len((await bench.search("lantern", limit=50)).hits) == 3


async def test_deleting_the_active_revision_shows_a_pending_one_as_a_first(bench: Bench) -> None:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    await bench.put(record, "d", 2, ["The lantern burns gas."])
    await bench.delete(record, "d", 1)
    assert [hit.revision for hit in (await bench.search("lantern")).hits] == [2]
