from __future__ import annotations

from retriever.stores import hnsw


def test_a_search_keeps_twice_what_is_wanted_and_never_few() -> None:
    assert [hnsw.ef(limit) for limit in (1, 64, 65, 1000)] == [128, 128, 130, 2000]


def test_what_a_filter_leaves_is_compared_whole_up_to_so_many_vectors() -> None:
    assert hnsw.full_scan_kib(384) * 1024 // (384 * 4) == 10_000
