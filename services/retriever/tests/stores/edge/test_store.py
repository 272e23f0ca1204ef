from __future__ import annotations

from pathlib import Path

import pytest

from retriever.errors import GenerationMissing
from retriever.stores import filters
from retriever.stores.edge.store import EdgeStore
from retriever.stores.points import Point
from retriever.text.bm25 import SparseVector
from servicekit.core.errors import DiskFull

IDS = [f"00000000-0000-5000-8000-00000000000{number}" for number in range(3)]


def _point(number: int) -> Point:
    payload = {"document_id": "d", "revision": 1, "ordinal": number, "hash": f"h{number}", "tags": []}
    return Point(IDS[number], [1.0, float(number)], SparseVector([number], [1.0]), payload)


async def test_what_was_acknowledged_is_there_when_the_folder_is_opened_again(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    await store.create_generation("g", 2)
    await store.upsert_points("g", [_point(number) for number in range(3)])
    assert await store.delete_points("g", filters.revision("d", 1, from_ordinal=2)) == 1
    await store.close()
    again = EdgeStore(tmp_path)
    assert set(await again.get_points("g", IDS)) == set(IDS[:2])
    assert [each.id for each in await again.nearest("g", [1.0, 0.0], None, 5)] == IDS[:2]
    assert [each.id for each in await again.nearest("g", SparseVector([1], [1.0]), None, 5)] == [IDS[1]]
    status = await again.get_index_status("g")
    assert (status.points, status.indexed_points, status.building) == (2, 0, False)
    await again.delete_generation("g")
    with pytest.raises(GenerationMissing):
        await again.count_points("g", filters.document("d"))
    await again.close()


async def test_a_write_that_would_touch_the_reserve_is_refused_and_searches_go_on(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    await store.create_generation("g", 2)
    await store.close()
    full = EdgeStore(tmp_path, reserve_bytes=1 << 60)
    with pytest.raises(DiskFull):
        await full.upsert_points("g", [_point(0)])
    assert await full.nearest("g", [1.0, 0.0], None, 1) == []
    await full.close()
