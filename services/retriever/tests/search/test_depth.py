"""A hybrid page is exact whatever it takes to prove it, and is proven with as little as needed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from services.retriever.tests.conftest import Bench, chunk

from retriever.catalog.collections import CollectionRecord
from retriever.models.vector_codec import encode_embedding
from retriever.search import depth, fusion
from retriever.search.fusion import CandidateScores, best_of, dense_weight, rank_fused
from retriever.stores.queries import ListQuery
from retriever.text.bm25 import query_vector

VOCABULARY = [f"{first}{second}{third}" for first in "bdfg" for second in "aeiou" for third in ("lor", "min", "tak")]

FIRST = 8
"""A first depth that suits small collections."""


async def _collection(bench: Bench, name: str, seed: int, chunks: int = 260) -> CollectionRecord:
    """Chunks whose vectors are those of a few other words, so that hardly any is high in both lists."""
    chance = random.Random(seed)
    record = await bench.create(name)
    texts = [" ".join(chance.choices(VOCABULARY, k=chance.randint(4, 40))) for _ in range(chunks)]
    other = [" ".join(chance.choices(VOCABULARY, k=chance.randint(2, 6))) for _ in texts]
    made = await bench.embedder.embed("hashed", other, "bulk", "token")
    encoded = [encode_embedding("hashed", vector) for vector in made.vectors]
    await bench.put(
        record,
        "d",
        1,
        [chunk(at, text).model_copy(update={"embedding": encoded[at]}) for at, text in enumerate(texts)],
    )
    await bench.commit(record, "d", 1, chunks)
    return record


async def _found(bench: Bench, record: CollectionRecord, query: str) -> tuple[list[CandidateScores], float]:
    """All candidates of a collection, from both lists read to their end, and its weight."""
    vector = (await bench.embedder.embed("hashed", [query], "query", "token")).vectors[0]
    lists = [
        await bench.parts.store.nearest(record.vectors, asked, None, 10_000) for asked in (vector, query_vector(query))
    ]
    dense, sparse = ({each: round(score, 5) for each, score in found} for found in lists)
    found = [CandidateScores(record.name, each, dense.get(each), sparse.get(each)) for each in dense | sparse]
    return found, dense_weight([*dense.values()], [*sparse.values()], len(query_vector(query).indices))


async def test_pages_are_exact_whether_words_prove_them_or_a_deeper_list_by_meaning(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((depth, "FIRST_DEPTH"), (fusion, "BACKGROUND")):
        monkeypatch.setattr(module, name, FIRST)
    records = [await _collection(bench, name, seed) for seed, name in enumerate(("one", "two"))]
    asked: list[ListQuery] = []
    search = bench.parts.store.search

    async def noting(generation: str, wanted: Sequence[ListQuery | None]) -> Any:
        asked.extend(each for each in wanted if each is not None)
        return await search(generation, wanted)

    chance = random.Random(7)
    for _ in range(25):
        query = " ".join(chance.choices(VOCABULARY, k=chance.randint(1, 6)))
        used = records[: chance.randint(1, 2)]
        every = [await _found(bench, record, query) for record in used]
        weights = {record.name: weight for record, (_, weight) in zip(used, every, strict=True)}
        found = [each for part, _ in every for each in part]
        ranking = rank_fused(found, best_of(found, dict.fromkeys(weights, "hashed"), weights))
        limit, offset = chance.choice(((1, 0), (4, 0), (3, 5), (10, 0), (30, 0)))
        monkeypatch.setattr(bench.parts.store, "search", noting)
        reply = await bench.search(query, [record.name for record in used], limit=limit, offset=offset)
        monkeypatch.setattr(bench.parts.store, "search", search)
        scores = [each.score for each in ranking]
        assert [hit.score for hit in reply.hits] == pytest.approx(scores[offset : offset + limit], abs=1e-4)
        by_id = {each.found.id: each for each in ranking}
        for hit in reply.hits:
            known = by_id[hit.chunk_id].found
            assert hit.scores.dense == pytest.approx(known.dense, abs=1e-4)
            assert (hit.scores.sparse or 0.0) == pytest.approx(known.sparse or 0.0, abs=1e-4)
    assert any(each.least is not None for each in asked)
    assert any(each.limit > FIRST and each.may_be_short for each in asked)
