from __future__ import annotations

from services.retriever.tests.conftest import Bench

from retriever.catalog.collections import CollectionRecord
from retriever.search.candidates import CandidateReader
from retriever.stores.queries import CollectionQuery
from retriever.text.bm25 import query_vector

TEXTS = ["red lantern", "red car", "blue lantern in the harbour", "winter"]


async def _query(bench: Bench, text: str, mode: str = "hybrid") -> tuple[CollectionRecord, CollectionQuery]:
    record = await bench.create()
    await bench.index(record, "d", 1, TEXTS)
    made = await bench.embedder.embed("hashed", [text], "query", "token")
    dense = None if mode == "sparse" else made.vectors[0]
    return record, CollectionQuery(dense, None if mode == "dense" else query_vector(text))


async def test_a_shallow_pool_bounds_what_it_has_not_seen_and_a_deep_one_is_exhausted(bench: Bench) -> None:
    record, query = await _query(bench, "red lantern")
    reader = CandidateReader(bench.parts.store)
    shallow = await reader.read(record, query, None, 2)
    assert not shallow.exhausted
    assert shallow.unseen_dense is not None
    whole = await reader.read(record, query, None, 10)
    assert (whole.exhausted, whole.unseen_dense, whole.half) == (True, None, frozenset())
    assert len(whole.found) == len(TEXTS)
    assert sum(each.sparse is not None for each in whole.found.values()) == 3


async def test_both_scores_of_a_candidate_can_be_asked_for(bench: Bench) -> None:
    record, query = await _query(bench, "red lantern")
    reader = CandidateReader(bench.parts.store)
    pool = await reader.read(record, query, None, 2)
    scored = await reader.score(pool, record, query, list(pool.half))
    assert scored.half == frozenset()
    whole = await reader.read(record, query, None, 10)
    assert all(whole.found[each] == found for each, found in scored.found.items())


async def test_a_single_list_needs_no_other_score(bench: Bench) -> None:
    record, query = await _query(bench, "red lantern", "sparse")
    pool = await CandidateReader(bench.parts.store).read(record, query, None, 10)
    assert {each.dense for each in pool.found.values()} == {None}
    assert (len(pool.found), pool.half, pool.dense_weight) == (3, frozenset(), 0.0)
