"""What any vector store of the retriever must do. Data without ties; order is by score, then by id."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable
from math import log
from pathlib import Path
from typing import Any

import pytest

from contracts.retrieval.chunks import ChunkInput, DocumentFacts
from contracts.retrieval.collections import VectorOptions
from contracts.retrieval.search import Filter
from retriever.errors import GenerationMissing, VectorStoreLocked
from retriever.stores import filters, readiness
from retriever.stores.edge.index_builds import BuildRules
from retriever.stores.edge.store import EdgeStore
from retriever.stores.points import Candidate, Point, RevisionKey, content_hash, make_point
from retriever.stores.protocol import VectorStore
from retriever.stores.qdrant.store import QdrantStore
from retriever.stores.queries import nearest, scores_of
from retriever.text.bm25 import SparseVector, query_vector

DIMENSIONS = 16
WORDS = ["harbour", "lantern", "meadow", "copper", "violin", "glacier", "saffron", "turbine", "orchard", "pebble"]
AT_ONCE = BuildRules(points=1, share=0.01)
"""An index is built after every write, so that each test meets builds and indexed shards at moments of its own."""
STORES: dict[str, Callable[[Path], VectorStore]] = {
    "edge": lambda folder: EdgeStore(folder / "vectors"),
    "edge-indexing": lambda folder: EdgeStore(folder / "vectors", rules=AT_ONCE),
    "qdrant": lambda folder: QdrantStore.in_memory(),
}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorStore]:
    opened = STORES[request.param](tmp_path)
    await opened.create_generation("g", DIMENSIONS)
    yield opened
    await opened.close()


def _vector(seed: int) -> list[float]:
    chance = random.Random(seed)
    return [chance.uniform(-1, 1) for _ in range(DIMENSIONS)]


def _points(document: str, revision: int, count: int, seed: int = 0, **metadata: Any) -> list[Point]:
    chance = random.Random(f"{document}{revision}{seed}")
    facts = DocumentFacts(title=f"On {document}", source=f"{document}.pdf", media_type="text/plain", metadata=metadata)
    made = []
    for ordinal in range(count):
        text = f"{document} {ordinal} " + " ".join(chance.choices(WORDS, k=chance.randint(5, 30)))
        chunk = ChunkInput(ordinal=ordinal, text=text, start=0, end=len(text), page=ordinal + 1)
        made.append(make_point(RevisionKey("c", document, revision), facts, chunk, _vector(chance.randrange(10**9))))
    return made


def _ids(found: list[Candidate]) -> list[str]:
    return [candidate.id for candidate in found]


async def _matching(store: VectorStore, body: dict[str, Any]) -> set[str]:
    """Documents found by a filter on the dense and on the sparse path, which must agree."""
    where = filters.where(Filter.model_validate(body))
    dense = await store.nearest("g", _vector(1), where, 100)
    sparse = await store.nearest("g", query_vector(" ".join(WORDS)), where, 100)
    assert sorted(_ids(dense)) == sorted(_ids(sparse))
    return {point.payload["document_id"] for point in (await store.get_points("g", _ids(dense))).values()}


async def test_dense_vectors_are_given_out_at_unit_length(store: VectorStore) -> None:
    points = _points("a", 1, 5)
    await store.upsert_points("g", points)
    wanted = [points[0].id, points[3].id, "00000000-0000-5000-8000-00000000dead"]
    given = await store.get_vectors("g", wanted)
    assert sorted(given) == sorted(wanted[:2])
    for point in (points[0], points[3]):
        length = sum(x * x for x in point.dense) ** 0.5
        assert given[point.id] == pytest.approx([x / length for x in point.dense], abs=1e-6)


async def test_dense_search_orders_by_cosine(store: VectorStore) -> None:
    points = _points("a", 1, 40)
    await store.upsert_points("g", points)
    query = _vector(5)

    def cosine(vector: list[float]) -> float:
        dot = sum(x * y for x, y in zip(query, vector, strict=True))
        return dot / (sum(x * x for x in query) ** 0.5 * sum(x * x for x in vector) ** 0.5)

    expected = sorted(points, key=lambda point: -cosine(point.dense))[:10]
    found = await store.nearest("g", query, None, 10)
    assert _ids(found) == [point.id for point in expected]
    assert [each.score for each in found] == pytest.approx([cosine(point.dense) for point in expected], abs=1e-5)


async def test_sparse_search_scores_by_bm25_with_idf(store: VectorStore) -> None:
    points = _points("a", 1, 30)
    await store.upsert_points("g", points)
    query = query_vector("harbour violin zebra")

    def score(point: Point) -> float:
        weights = dict(zip(point.sparse.indices, point.sparse.values, strict=True))
        total = 0.0
        for index in query.indices:
            holding = sum(index in other.sparse.indices for other in points)
            idf = log((len(points) - holding + 0.5) / (holding + 0.5) + 1)
            total += idf * weights.get(index, 0.0)
        return total

    expected = sorted((point for point in points if score(point) > 0), key=lambda point: -score(point))
    found = await store.nearest("g", query, None, 100)
    assert [each.score for each in found] == pytest.approx([score(point) for point in expected], rel=1e-4)
    assert _ids(found)[:5] == [point.id for point in expected][:5]


async def test_several_lists_come_in_one_call_each_as_it_comes_alone(store: VectorStore) -> None:
    await store.upsert_points("g", _points("a", 1, 40))
    where = filters.where(Filter.model_validate({"must": [{"key": "page", "range": {"lte": 30}}]}))
    dense, words = _vector(5), query_vector("harbour violin zebra")
    some = [point.id for point in _points("a", 1, 40)[3:20:4]]
    lists = [nearest(dense, where, 5), nearest(words, where, 100), None, scores_of(dense, some), scores_of(words, some)]
    found = await store.search("g", lists)
    for each, asked in zip(found, lists, strict=True):
        alone = [] if asked is None else await store.nearest("g", asked.query, asked.where, asked.limit)
        assert _ids(each) == _ids(alone)
        assert [candidate.score for candidate in each] == pytest.approx([candidate.score for candidate in alone])
    assert {*_ids(found[3])} == {*some}
    assert {*_ids(found[4])} <= {*some}
    assert await store.search("g", [None, nearest(query_vector(""), None, 5), scores_of(dense, [])]) == [[], [], []]


async def test_words_can_be_read_down_to_a_score(store: VectorStore) -> None:
    await store.upsert_points("g", _points("a", 1, 60))
    words = query_vector("harbour violin glacier")
    whole = await store.nearest("g", words, None, 100)
    least = whole[len(whole) // 2].score
    for at, limit in ((0.0, 100), (least - 1e-4, 100), (least + 1e-4, 100), (least - 1e-4, 7), (1e9, 100)):
        (found,) = await store.search("g", [nearest(words, None, limit, at)])
        assert _ids(found) == [each.id for each in whole if each.score > at][:limit]


async def test_both_stores_rank_alike(tmp_path: Path) -> None:
    rankings = []
    for open_store in STORES.values():
        store = open_store(tmp_path)
        await store.create_generation("g", DIMENSIONS)
        for document in ("a", "b", "c"):
            await store.upsert_points("g", _points(document, 1, 50))
        queries: list[list[float] | SparseVector] = [_vector(7), query_vector("harbour glacier falcon")]
        rankings.append([_ids(await store.nearest("g", query, None, 25)) for query in queries])
        await store.close()
    assert rankings[0] == rankings[1] == rankings[2]


OPTIONS = [
    VectorOptions.model_validate({"quantization": quantization, "on_disk": on_disk})
    for quantization in ("none", "scalar", "binary")
    for on_disk in (False, True)
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
async def test_however_vectors_are_kept_the_ranking_is_the_same(store: VectorStore, options: VectorOptions) -> None:
    await store.create_generation("kept", DIMENSIONS, options)
    points = _points("a", 1, 50)
    await store.upsert_points("g", points)
    await store.upsert_points("kept", points)
    exact, kept = [await store.nearest(name, _vector(7), None, 10) for name in ("g", "kept")]
    assert _ids(kept) == _ids(exact)
    assert [each.score for each in kept] == pytest.approx([each.score for each in exact], abs=1e-5)
    assert (await store.get_index_status("kept")).points == 50


async def test_words_that_no_point_has_find_nothing(store: VectorStore) -> None:
    await store.upsert_points("g", _points("a", 1, 5))
    assert await store.nearest("g", query_vector("zebra xylophone"), None, 10) == []


async def test_writing_a_point_again_replaces_it(store: VectorStore) -> None:
    await store.upsert_points("g", _points("a", 1, 5))
    await store.upsert_points("g", _points("a", 1, 5, seed=1))
    assert await store.count_points("g", filters.document("a")) == 5
    again = _points("a", 1, 5, seed=1)
    fetched = await store.get_points("g", [point.id for point in again])
    assert {each.id: each.payload for each in fetched.values()} == {point.id: point.payload for point in again}


async def test_revisions_are_counted_and_removed_apart(store: VectorStore) -> None:
    for revision, count in ((1, 3), (2, 4), (3, 5)):
        await store.upsert_points("g", _points("a", revision, count))
    await store.upsert_points("g", _points("b", 1, 2))
    assert await store.count_points("g", filters.revision("a", 2)) == 4
    assert await store.count_points("g", filters.revision("a", 3, from_ordinal=3)) == 2
    assert await store.delete_points("g", filters.revision("a", 3, from_ordinal=3)) == 2
    assert await store.delete_points("g", filters.document("a", below=2)) == 3
    assert await store.delete_points("g", filters.document("a", up_to=2)) == 4
    assert await store.delete_points("g", filters.document("a", up_to=2)) == 0
    assert await store.count_points("g", filters.document("a")) == 3
    assert await store.count_points("g", filters.document("b")) == 2
    assert len(await store.nearest("g", _vector(1), None, 100)) == 5


async def test_vectors_are_found_by_content(store: VectorStore) -> None:
    points = _points("a", 1, 6)
    await store.upsert_points("g", points)
    await store.upsert_points("g", _points("b", 1, 3))
    unit = ChunkInput(ordinal=0, text="unknown", start=0, end=7)
    wanted = [points[2].payload["hash"], points[4].payload["hash"], content_hash(unit)]
    found = await store.get_vectors_by_hash("g", filters.document("a"), wanted)
    assert set(found) == set(wanted[:2])
    copied = [Point("00000000-0000-5000-8000-000000000009", found[wanted[0]], points[2].sparse, points[2].payload)]
    await store.upsert_points("g", copied)
    nearest = await store.nearest("g", points[2].dense, None, 2)
    assert [each.score for each in nearest] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert await store.get_vectors_by_hash("g", filters.document("b"), wanted) == {}


async def test_many_vectors_are_found_by_content(store: VectorStore) -> None:
    points = _points("a", 1, 1100)
    await store.upsert_points("g", points)
    hashes = {point.payload["hash"] for point in points}
    assert set(await store.get_vectors_by_hash("g", filters.document("a"), hashes)) == hashes


async def test_only_the_named_points_are_scored(store: VectorStore) -> None:
    points = _points("a", 1, 20)
    await store.upsert_points("g", points)
    named = tuple(point.id for point in points[3:7])
    where = filters.Where(must=(filters.OneOf(named),))
    assert sorted(_ids(await store.nearest("g", _vector(2), where, 4))) == sorted(named)


FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({"must": [{"key": "metadata.team", "match": "hr"}]}, {"a", "c"}),
    ({"must": [{"key": "metadata.team", "match": ["it", "law"]}]}, {"b"}),
    ({"must": [{"key": "metadata.year", "match": 2024}]}, {"a"}),
    ({"must": [{"key": "metadata.year", "match": 2025.0}]}, {"b"}),
    ({"must": [{"key": "metadata.year", "range": {"gte": 2024, "lt": 2025}}]}, {"a"}),
    ({"must": [{"key": "metadata.year", "range": {"gt": 2023.5}}]}, {"a", "b"}),
    ({"must": [{"key": "metadata.draft", "match": True}]}, {"a"}),
    ({"must": [{"key": "metadata.draft", "match": "true"}]}, set()),
    ({"must": [{"key": "metadata.draft", "match": 1}]}, set()),
    ({"must": [{"key": "metadata.owner.name", "match": "Ada"}]}, {"b"}),
    ({"must": [{"key": "metadata.owner.age", "range": {"lte": 40}}]}, {"b"}),
    ({"must": [{"key": "metadata.labels", "match": "red"}]}, {"a", "b"}),
    ({"must": [{"key": "metadata.odd/kéy-1", "range": {"gte": 1}}]}, {"c"}),
    ({"must": [{"key": "metadata.odd/kéy-1", "match": 7}]}, {"c"}),
    ({"must": [{"key": "metadata.absent", "match": "x"}]}, set()),
    ({"must": [{"key": "metadata.absent", "range": {"gte": 0}}]}, set()),
    ({"must_not": [{"key": "metadata.year", "range": {"gte": 2025}}]}, {"a", "c"}),
    ({"must_not": [{"key": "metadata.team", "match": "hr"}]}, {"b"}),
    ({"should": [{"key": "metadata.team", "match": "it"}, {"key": "metadata.year", "match": 2024}]}, {"a", "b"}),
    (
        {
            "must": [{"key": "metadata.labels", "match": "red"}],
            "should": [{"key": "metadata.year", "match": 2024}],
            "must_not": [{"key": "document_id", "match": "b"}],
        },
        {"a"},
    ),
    ({"must": [{"key": "document_id", "match": ["a", "c"]}]}, {"a", "c"}),
    ({"must": [{"key": "title", "match": "On b"}]}, {"b"}),
    ({"must": [{"key": "source", "match": "c.pdf"}]}, {"c"}),
    ({"must": [{"key": "media_type", "match": "text/plain"}]}, {"a", "b", "c"}),
    ({"must": [{"key": "page", "match": 3}]}, {"a", "b"}),
    ({"must": [{"key": "page", "range": {"gt": 3}}]}, {"b"}),
    ({"must": [{"key": "metadata.note", "match": "long " * 400}]}, {"c"}),
    ({"must": [{"key": "metadata.marks", "range": {"gt": 8}}]}, {"a"}),
    ({"should": [{"key": "metadata.absent", "range": {"gt": 8}}, {"key": "document_id", "match": "c"}]}, {"c"}),
    ({"must_not": [{"key": "metadata.absent", "range": {"gt": 8}}]}, {"a", "b", "c"}),
    ({"must": [{"key": "metadata.huge", "match": 2**53}]}, {"c"}),
]


async def test_filters_hold_on_both_paths(store: VectorStore) -> None:
    a = {"team": "hr", "year": 2024, "draft": True, "labels": ["red", "blue"], "marks": [2, 9]}
    b = {"team": "it", "year": 2025, "owner": {"name": "Ada", "age": 36}, "labels": ["red"], "nothing": None}
    c = {"team": "hr", "odd/kéy-1": 7, "year": "2024", "note": "long " * 400, "huge": 2**53}
    for document, count, metadata in (("a", 3, a), ("b", 4, b), ("c", 2, c)):
        await store.upsert_points("g", _points(document, 1, count, **metadata))
    for body, expected in FILTERS:
        assert await _matching(store, body) == expected, body


async def test_generations_are_apart_and_can_be_made_and_dropped_again(store: VectorStore) -> None:
    await store.create_generation("h", 8)
    await store.create_generation("h", 8)
    assert await store.list_generations() == ["g", "h"]
    await store.upsert_points("g", _points("a", 1, 2))
    assert await store.count_points("h", filters.document("a")) == 0
    await store.delete_generation("g")
    await store.delete_generation("g")
    assert await store.list_generations() == ["h"]
    with pytest.raises(GenerationMissing):
        await store.nearest("g", _vector(1), None, 1)
    await store.create_generation("g", DIMENSIONS)
    assert await store.nearest("g", _vector(1), None, 1) == []


@pytest.mark.parametrize(
    "call",
    [
        "upsert_points",
        "delete_points",
        "count_points",
        "nearest",
        "get_vectors_by_hash",
        "get_points",
        "get_index_status",
    ],
)
async def test_an_unknown_generation_is_said_to_be_missing(store: VectorStore, call: str) -> None:
    somewhere = filters.document("a")
    arguments: dict[str, tuple[Any, ...]] = {
        "upsert_points": (_points("a", 1, 1),),
        "delete_points": (somewhere,),
        "count_points": (somewhere,),
        "nearest": (_vector(1), None, 1),
        "get_vectors_by_hash": (somewhere, ["x"]),
        "get_points": (["00000000-0000-5000-8000-000000000001"],),
        "get_index_status": (),
    }
    with pytest.raises(GenerationMissing):
        await getattr(store, call)("unknown", *arguments[call])


async def test_the_probe_searches_for_real(store: VectorStore) -> None:
    await readiness.prepare(store)
    await readiness.prepare(store)
    await readiness.probe_store(store)
    await store.delete_generation(readiness.READINESS)
    with pytest.raises(GenerationMissing):
        await readiness.probe_store(store)


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path, open_edge: Callable[..., EdgeStore]) -> None:
    first = open_edge(tmp_path)
    await first.create_generation("g", DIMENSIONS)
    await first.upsert_points("g", _points("a", 1, 10))
    before = await first.nearest("g", _vector(3), None, 5)
    await first.close()
    second = open_edge(tmp_path)
    assert await second.nearest("g", _vector(3), None, 5) == before
    await second.close()


async def test_one_process_owns_the_folder(tmp_path: Path, open_edge: Callable[..., EdgeStore]) -> None:
    first = open_edge(tmp_path)
    with pytest.raises(VectorStoreLocked, match="in use by another process"):
        open_edge(tmp_path)
    await first.close()
    await open_edge(tmp_path).close()


async def test_more_generations_than_may_be_open_all_answer(
    tmp_path: Path, open_edge: Callable[..., EdgeStore]
) -> None:
    store = open_edge(tmp_path, open_shards=2)
    for at in range(5):
        await store.create_generation(f"g{at}", DIMENSIONS)
        await store.upsert_points(f"g{at}", _points(f"d{at}", 1, 3))
    for at in (0, 4, 2, 0, 1, 3):
        assert await store.count_points(f"g{at}", filters.document(f"d{at}")) == 3
    await store.close()


async def test_a_generation_that_was_half_made_or_half_dropped_leaves_no_trace(
    tmp_path: Path, open_edge: Callable[..., EdgeStore]
) -> None:
    (tmp_path / ".unfinished-g").mkdir()
    (tmp_path / ".unfinished-g" / "rest").touch()
    (tmp_path / ".dropped-h").mkdir()
    store = open_edge(tmp_path)
    assert await store.list_generations() == []
    assert os.listdir(tmp_path) == [".lock"]  # noqa: PTH208  # pathlib's call is banned in async code
    await store.create_generation("g", DIMENSIONS)
    assert await store.count_points("g", filters.document("a")) == 0
    await store.close()
