"""Filters mean on every store and every path what the API says, whatever types the values have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contracts.retrieval.chunks import ChunkInput, DocumentFacts
from contracts.retrieval.search import Filter
from retriever.stores import filters
from retriever.stores.edge.store import EdgeStore
from retriever.stores.points import RevisionKey, make_point
from retriever.stores.protocol import VectorStore
from retriever.stores.qdrant.store import QdrantStore
from retriever.text.bm25 import query_vector

STORES: dict[str, Callable[[Path], VectorStore]] = {
    "edge": lambda folder: EdgeStore(folder / "vectors"),
    "qdrant": lambda folder: QdrantStore.in_memory(),
}
VALUES: list[Any] = [
    1, 1.0, True, "1", "true", [1, "x", True, None, 2.5], {"w": 2}, None, [[1]], [{"w": 2}], "", -0.0, 0, False, 2.5,
    "2024", 2024, 2**53, 1e300, -7, "🙂", "ünï", "a=b", '"1"', "x" * 300, [], {}, {"w": {"w": 2.5}},
]  # fmt: skip
DOCUMENTS: list[dict[str, Any]] = [{}, *({"v": value} for value in VALUES), {"k y": 1, "q'": 2, "é": 3, "a-b": 4}]
KEYS = ["v", "v.w", "v.w.w", "missing", "q'", "é", "a-b"]
SCALARS = [each for each in VALUES if isinstance(each, str | int | float)] + ["x", "absent", 99]


def _at(metadata: dict[str, Any], key: str) -> list[Any]:
    """What a key means in a document: the value, or an array's elements."""
    value: Any = metadata
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, list) else [value]


def _kind(value: Any) -> str:
    return (
        "boolean" if isinstance(value, bool) else "number" if isinstance(value, int | float) else type(value).__name__
    )


def _holds(metadata: dict[str, Any], test: dict[str, Any]) -> bool:
    found = _at(metadata, test["key"].removeprefix("metadata."))
    if "match" in test:
        wanted = test["match"] if isinstance(test["match"], list) else [test["match"]]
        return any(_kind(a) == _kind(b) and a == b for a in found for b in wanted)
    compare = {"gt": float.__gt__, "gte": float.__ge__, "lt": float.__lt__, "lte": float.__le__}
    numbers = [float(each) for each in found if _kind(each) == "number"]
    return any(all(compare[name](number, float(bound)) for name, bound in test["range"].items()) for number in numbers)


def _selected(metadata: dict[str, Any], body: dict[str, list[Any]]) -> bool:
    should = body.get("should", [])
    return (
        all(_holds(metadata, test) for test in body.get("must", []))
        and (not should or any(_holds(metadata, test) for test in should))
        and not any(_holds(metadata, test) for test in body.get("must_not", []))
    )


@pytest.fixture(params=STORES, scope="module")
def matching(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Searches a store of all the documents with a filter, by meaning and by words."""
    with asyncio.Runner() as loop:
        store = STORES[request.param](tmp_path_factory.mktemp("filters"))
        loop.run(store.create_generation("g", 4))
        points = []
        for at, metadata in enumerate(DOCUMENTS):
            facts = DocumentFacts(title="T", source="s", media_type="text/plain", metadata=metadata)
            chunk = ChunkInput(ordinal=0, text="lantern", start=0, end=7)
            points.append(make_point(RevisionKey("c", f"d{at}", 1), facts, chunk, [1.0, 0.0, 0.0, 0.1]))
        loop.run(store.upsert_points("g", points))
        documents = {point.id: point.payload["document_id"] for point in points}

        def search(body: dict[str, Any]) -> list[set[str]]:
            where = filters.where(Filter.model_validate(body))
            queries = ([1.0, 0.0, 0.0, 0.0], query_vector("lantern"))
            found = [loop.run(store.nearest("g", query, where, len(DOCUMENTS))) for query in queries]
            return [{documents[each.id] for each in one} for one in found]

        yield search
        loop.run(store.close())


key = st.sampled_from([f"metadata.{key}" for key in KEYS])
scalar = st.sampled_from(SCALARS)
number = st.sampled_from([each for each in SCALARS if _kind(each) == "number"])
match = st.fixed_dictionaries({"key": key, "match": scalar | st.lists(scalar, min_size=1, max_size=4)})
bounds = st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), number, min_size=1, max_size=2)
test = match | st.fixed_dictionaries({"key": key, "range": bounds})
body = st.dictionaries(st.sampled_from(["must", "should", "must_not"]), st.lists(test, max_size=3), min_size=1)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(body)
def test_a_filter_selects_exactly_the_documents_that_it_describes(matching: Any, body: dict[str, Any]) -> None:
    expected = {f"d{at}" for at, metadata in enumerate(DOCUMENTS) if _selected(metadata, body)}
    assert matching(body) == [expected, expected]
