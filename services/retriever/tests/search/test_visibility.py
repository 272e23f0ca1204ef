"""What is hidden neither shows nor counts: every page against a ranking that reads everything and drops the hidden."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest
from services.retriever.tests.conftest import Bench

from contracts.retrieval.search import Hit
from retriever.catalog.collections import CollectionRecord
from retriever.search.fusion import CandidateScores, RankedCandidate, best_of, dense_weight, rank_fused, rank_single
from retriever.stores import filters
from retriever.stores.points import RevisionKey
from retriever.text.bm25 import query_vector

WORDS = ["harbour", "lantern", "meadow", "copper", "violin", "glacier", "saffron", "turbine"]
QUERY = "lantern harbour"
MODES = ("hybrid", "dense", "sparse")


async def _half_hidden(bench: Bench, seed: int, documents: int = 30) -> CollectionRecord:
    """Documents that are settled, being replaced (the new revision fits the query better), or deleted but not yet
    cleaned away.
    """
    record = await bench.create()
    chance = random.Random(seed)
    for at in range(documents):
        texts = [" ".join(chance.choices(WORDS, k=chance.randint(3, 25))) for _ in range(chance.randint(1, 9))]
        await bench.index(record, f"d{at}", 1, texts)
        if at % 3 == 1:
            await bench.put(record, f"d{at}", 2, [f"{QUERY} {text}" for text in texts])
        if at % 3 == 2:
            await bench.parts.collections.revisions.delete_revisions(RevisionKey(record.id, f"d{at}", 1))
    return record


async def _expected(bench: Bench, record: CollectionRecord, mode: str) -> list[tuple[RankedCandidate, str]]:
    """The whole ranking, from lists read to their end, with each hit's document."""
    vector = (await bench.embedder.embed("hashed", [QUERY], "query", "token")).vectors[0]
    dense = await bench.parts.store.nearest(record.vectors, vector, None, 10_000) if mode != "sparse" else []
    sparse = (
        await bench.parts.store.nearest(record.vectors, query_vector(QUERY), None, 10_000) if mode != "dense" else []
    )
    cosines, weights = ({each.id: round(each.score, 5) for each in found} for found in (dense, sparse))
    points = await bench.parts.store.get_points(record.vectors, [*(cosines | weights)])
    view = await bench.parts.collections.revisions.get_view(
        record.id, {point.payload["document_id"] for point in points.values()}
    )
    shown = [
        CandidateScores("handbook", each, cosines.get(each), weights.get(each))
        for each, point in points.items()
        if view.visible.get(point.payload["document_id"]) == point.payload["revision"]
    ]
    # what is hidden until it is cleaned away counts in the weight, as it does in BM25's document frequencies
    share = {"handbook": dense_weight([*cosines.values()], [*weights.values()], len(query_vector(QUERY).indices))}
    ranked = rank_fused(shown, best_of(shown, {"handbook": "m"}, share)) if mode == "hybrid" else rank_single(shown)
    return [(each, points[each.found.id].payload["document_id"]) for each in ranked]


def _same(
    hits: Sequence[Hit], expected: Sequence[tuple[RankedCandidate, str]], ranking: Sequence[tuple[RankedCandidate, str]]
) -> None:
    """Scores of one pair of vectors differ in the last digit from call to call, so near ties may change places."""
    scores = {each.found.id: each.score for each, _ in ranking}
    assert [hit.score for hit in hits] == pytest.approx([each.score for each, _ in expected], abs=1e-4)
    assert [hit.score for hit in hits] == pytest.approx([scores[hit.chunk_id] for hit in hits], abs=1e-4)
    assert len({hit.chunk_id for hit in hits}) == len(hits)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(4))
async def test_what_is_hidden_neither_shows_nor_counts(bench: Bench, mode: str, seed: int) -> None:
    record = await _half_hidden(bench, seed)
    expected = await _expected(bench, record, mode)
    for limit, offset in ((1, 0), (10, 0), (7, 20), (100, 0), (50, 1000)):
        reply = await bench.search(QUERY, mode=mode, limit=limit, offset=offset)
        _same(reply.hits, expected[offset : offset + limit], expected)
    first = {document: (each, document) for each, document in reversed(expected)}
    grouped = [pair for pair in expected if first[pair[1]] == pair]
    for limit, offset in ((3, 0), (100, 0), (4, 5)):
        reply = await bench.search(QUERY, mode=mode, limit=limit, offset=offset, group_by="document")
        _same(reply.hits, grouped[offset : offset + limit], grouped)
    scores = [each.score for each, _ in expected]
    least = next(a - 1e-3 for a, b in itertools.pairwise(scores[8:]) if a - b > 3e-3)
    reply = await bench.search(QUERY, mode=mode, limit=100, min_score=least)
    _same(reply.hits, [pair for pair in expected if pair[0].score >= least][:100], expected)


async def test_a_page_reads_little_more_than_it_shows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    record = await bench.create()
    for at in range(60):
        await bench.index(record, f"d{at}", 1, [f"{QUERY} {' '.join(WORDS[: at % 8])} {at}"])
    read: list[int] = []
    fetch = bench.parts.store.get_points

    async def counting(generation: str, ids: Sequence[str]) -> dict[str, Any]:
        read.append(len(ids))
        return await fetch(generation, ids)

    monkeypatch.setattr(bench.parts.store, "get_points", counting)
    assert len((await bench.search(QUERY, limit=5)).hits) == 5
    assert sum(read) <= 7  # the page, and who holds the best score of each list


@pytest.mark.parametrize("mode", MODES)
async def test_what_vanishes_while_it_is_searched_leaves_no_gap(
    bench: Bench, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await bench.create()
    for at in range(20):
        await bench.index(record, f"d{at}", 1, [f"{QUERY} {at}"])
    search = bench.parts.store.search
    gone: list[str] = []

    async def deleting_meanwhile(*arguments: Any) -> Any:
        found = await search(*arguments)
        if not gone:
            first = next(each.id for every in found for each in every)
            point = (await bench.parts.store.get_points(record.vectors, [first]))[first]
            gone.append(point.payload["document_id"])
            await bench.delete(record, gone[0], 1)
        return found

    monkeypatch.setattr(bench.parts.store, "search", deleting_meanwhile)
    reply = await bench.search(QUERY, mode=mode, limit=10)
    assert gone
    assert gone[0] not in {hit.document_id for hit in reply.hits}
    assert len(reply.hits) == 10
    assert reply.collection_revision == await bench.revision()
    assert await bench.parts.store.count_points(record.vectors, filters.document(gone[0])) == 0
