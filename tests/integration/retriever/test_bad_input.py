"""Whatever comes in, the retriever answers with a correct result or with an error that says what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.support.api import hostile
from tests.support.retriever.service import Tokens, retriever_client

from contracts.core.errors import ErrorEnvelope
from contracts.retrieval.search import SearchReply
from retriever.testing.hashed_embedder import HashedEmbedder

FACTS = {"title": "Handbook", "source": "handbook.md", "media_type": "text/markdown", "metadata": {"team": "hr"}}


def fuzz(examples: int) -> settings:
    """The same examples in each run; not made smaller, since each costs a call."""
    phases = (Phase.explicit, Phase.generate)
    return settings(
        max_examples=examples, deadline=None, derandomize=True, phases=phases, suppress_health_check=list(HealthCheck)
    )


@dataclass
class Retriever:
    """A retriever over real parts that plain functions can call."""

    loop: asyncio.Runner
    client: httpx2.AsyncClient
    embedder: HashedEmbedder

    def call(self, method: str, path: str, body: Any = ..., **options: Any) -> httpx2.Response:
        if body is not ...:
            options |= {"content": hostile.as_json(body), "headers": {"Content-Type": "application/json"}}
        return self.loop.run(self.client.request(method, path, **options))

    def search(self, **body: Any) -> httpx2.Response:
        return self.call("POST", "/v1/search", {"collections": ["handbook"], "query": "lantern", **body})

    def index(self, document: str, texts: list[str], metadata: Any, collection: str = "handbook") -> httpx2.Response:
        facts = {**FACTS, "metadata": metadata}
        chunks = [{"ordinal": at, "text": text, "start": 0, "end": len(text)} for at, text in enumerate(texts)]
        path = f"/v1/collections/{collection}/documents/{document}/revisions/1"
        answer = self.call("PUT", f"{path}/chunks", {"document": facts, "chunks": chunks})
        if answer.status_code != 200:
            return answer
        return self.call("POST", f"{path}/commit", {"document": facts, "chunks": len(texts)})


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    folder = tmp_path_factory.mktemp("bad-input")
    tokens, embedder = Tokens(folder), HashedEmbedder()
    with asyncio.Runner() as loop:
        stack = AsyncExitStack()
        client = loop.run(stack.enter_async_context(retriever_client(folder / "data", tokens, embedder)))
        client.headers["Authorization"] = f"Bearer {tokens.token()}"
        running = Retriever(loop, client, embedder)
        assert running.call("POST", "/v1/collections", {"name": "handbook"}).status_code == 201
        assert running.index("d-1", ["The lantern burns oil."], {"team": "hr", "year": 2024}).status_code == 200
        yield running
        loop.run(stack.aclose())


def checked(response: httpx2.Response) -> int:
    """The status of an answer that is a whole result or a whole error, never our failure."""
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        error = ErrorEnvelope.model_validate_json(response.content).error
        assert error.message
        assert error.request_id == response.headers["x-request-id"]
    return response.status_code


search = st.fixed_dictionaries(
    {},
    optional={
        "collections": st.lists(st.just("handbook") | hostile.texts, max_size=3) | hostile.values,
        "query": hostile.texts | hostile.values,
        "limit": st.integers(1, 100) | hostile.values,
        "offset": st.integers(0, 10_000) | hostile.values,
        "mode": st.sampled_from(["hybrid", "dense", "sparse"]) | hostile.values,
        "rerank": st.booleans() | hostile.values,
        "group_by": st.just("document") | hostile.values,
        "min_score": hostile.numbers,
        "filter": hostile.values,
    },
)


@fuzz(150)
@given(search)
def test_any_search_is_answered(retriever: Retriever, body: dict[str, Any]) -> None:
    response = retriever.search(**body)
    if checked(response) == 200:
        SearchReply.model_validate_json(response.content)


part = st.text(st.characters(exclude_categories=("Z", "Cc", "Cs"), exclude_characters='."[]'), min_size=1, max_size=8)
key = st.sampled_from(["document_id", "title", "source", "media_type", "page", "metadata.team", "metadata.year"])
key = key | st.lists(part, min_size=1, max_size=8).map(lambda parts: "metadata." + ".".join(parts))
finite = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)
scalar = st.booleans() | finite | st.text(max_size=20)
test = st.fixed_dictionaries({"key": key, "match": scalar | st.lists(scalar, min_size=1, max_size=4)})
bounds = st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), finite, min_size=1)
test = test | st.fixed_dictionaries({"key": key, "range": bounds})
wrong = st.fixed_dictionaries({"key": key | hostile.texts, "match": hostile.values})
wrong = wrong | st.fixed_dictionaries(
    {"key": key, "range": st.dictionaries(st.sampled_from(["gt", "x"]), hostile.values)}
)
place, mode = st.sampled_from(["must", "should", "must_not"]), st.sampled_from(["hybrid", "dense", "sparse"])


@fuzz(120)
@given(st.dictionaries(place, st.lists(test, max_size=3)), mode)
def test_any_well_formed_filter_finds_or_finds_nothing(retriever: Retriever, body: dict[str, Any], mode: str) -> None:
    status = checked(retriever.search(filter=body, mode=mode))
    assert status == 200 or "\\" in str(body)  # a backslash in a range's key is refused by name


@fuzz(80)
@given(place, wrong)
def test_any_other_filter_is_refused_or_finds_nothing(retriever: Retriever, place: str, test: Any) -> None:
    checked(retriever.search(filter={place: [test]}))


@fuzz(30)
@given(st.dictionaries(hostile.texts, hostile.values, max_size=3) | hostile.values, hostile.texts)
def test_any_document_is_kept_or_refused(retriever: Retriever, metadata: Any, text: str) -> None:
    document = f"m{blake2b(repr((metadata, text)).encode(errors='replace')).hexdigest()[:16]}"
    if checked(retriever.index(document, [text], metadata)) == 200:
        only = {"must": [{"key": "document_id", "match": document}]}
        (hit,) = retriever.search(query="x", mode="dense", filter=only).json()["hits"]
        assert hit["text"] == text
        assert hit["metadata"] == metadata


option = st.sampled_from(["description", "embedding_model", "chunking", "language", "vectors", "rerank"])


@fuzz(40)
@given(st.dictionaries(option | hostile.texts, hostile.values, max_size=3))
def test_any_new_collection_is_made_or_refused(retriever: Retriever, body: Any) -> None:
    if checked(retriever.call("POST", "/v1/collections", {"name": "x", **body})) == 201:
        assert retriever.call("DELETE", "/v1/collections/x").status_code == 204


@pytest.mark.parametrize("path", ["/v1/collections", "/v1/collections/handbook/documents/d-1/chunks"])
@pytest.mark.parametrize("cursor", hostile.CURSORS.values(), ids=hostile.CURSORS)
def test_a_forged_cursor_is_refused(retriever: Retriever, path: str, cursor: str) -> None:
    answer = retriever.call("GET", path, params={"cursor": cursor})
    assert checked(answer) == 400 or answer.json()["data"] == []


NAN, INF = float("nan"), float("inf")
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "not a number": ({"min_score": NAN}, "min_score"),
    "range to infinity": ({"filter": {"must": [{"key": "page", "range": {"lt": -INF}}]}}, "filter.must.0.range.lt"),
    "range of text": ({"filter": {"must": [{"key": "page", "range": {"gte": "2"}}]}}, "filter.must.0.range.gte"),
    "range of boolean": ({"filter": {"must": [{"key": "page", "range": {"gte": True}}]}}, "filter.must.0.range.gte"),
    "match of NaN": ({"filter": {"should": [{"key": "page", "match": [1, NAN]}]}}, "filter.should.0.match"),
    "match of half a pair": ({"filter": {"must": [{"key": "title", "match": "\ud800"}]}}, "filter.must.0.match"),
    "match of a list in a list": ({"filter": {"must": [{"key": "page", "match": [[1]]}]}}, "filter.must.0.match"),
    "match of nothing": ({"filter": {"must": [{"key": "page", "match": []}]}}, "filter.must.0.match"),
    "match of 257": ({"filter": {"must": [{"key": "page", "match": [1] * 257}]}}, "filter.must.0.match"),
    "match beyond 64 bits": ({"filter": {"must": [{"key": "page", "match": 10**30}]}}, "filter.must.0.match"),
    "key of the store": ({"filter": {"must": [{"key": "tags", "match": "x"}]}}, "filter.must.0.key"),
    "key with spaces": ({"filter": {"must": [{"key": "metadata.a b", "match": "x"}]}}, "filter.must.0.key"),
    "65 conditions": ({"filter": {"must": [{"key": "page", "match": 1}] * 65}}, "filter.must"),
    "absurd limit": ({"limit": 10**9}, "limit"),
    "absurd offset": ({"offset": 10**9}, "offset"),
    "a hundred pages": ({"query": "lantern " * 25_000}, "query"),
    "half a pair": ({"query": "a\ud800"}, "query"),
    "17 collections": ({"collections": ["handbook"] * 17}, "collections"),
    "unknown field that is no text": ({"\ud800": 1}, None),
}  # fmt: skip


@pytest.mark.parametrize(("body", "param"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_searched_is_refused_with_its_place(
    retriever: Retriever, body: dict[str, Any], param: str | None
) -> None:
    answer = retriever.search(**body)
    assert checked(answer) == 422
    if param is not None:
        assert answer.json()["error"]["param"] == param
        assert "pattern" not in answer.json()["error"]["message"]


@pytest.mark.parametrize("raw", [b"", b"[" * 100_000, b'{"limit":' + b"9" * 5_000 + b"}", b"\xff\xfe", b"null", b"{"])
def test_a_body_that_is_no_json_object_is_refused(retriever: Retriever, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert checked(retriever.call("POST", "/v1/search", content=raw, headers=headers)) == 422


def test_the_longest_query_is_answered_and_says_that_the_model_read_its_beginning(retriever: Retriever) -> None:
    long = ("harbour " * 5_000)[: 32_768 - 8] + " lantern"
    for mode, said in (("hybrid", ["query_truncated"]), ("dense", ["query_truncated"]), ("sparse", [])):
        answer = retriever.search(query=long, mode=mode)
        assert (answer.status_code, answer.json()["degraded"]) == (200, said)
        by_words = [hit for hit in answer.json()["hits"] if hit["scores"]["sparse"] is not None]
        assert bool(by_words) == (mode != "dense")
    assert retriever.search(query="lantern").json()["degraded"] == []


@pytest.mark.parametrize("query", [" ", "the of and", "\u0000", "\u202e", "🏴‍☠️", "unheard-of", "()[]{}"])
def test_a_query_without_a_known_term_finds_nothing_by_words(retriever: Retriever, query: str) -> None:
    answer = retriever.search(query=query, mode="sparse")
    assert (answer.status_code, answer.json()["hits"]) == (200, [])


def test_a_collection_named_twice_is_searched_once(retriever: Retriever) -> None:
    once, twice = (retriever.search(collections=["handbook"] * times).json()["hits"] for times in (1, 2))
    assert once == twice


def test_a_model_that_answers_other_dimensions_is_named(retriever: Retriever) -> None:
    models, served = retriever.embedder.models, retriever.embedder.served
    models[served.name] = replace(served, dimensions=served.dimensions + 1)
    try:
        for answer in (retriever.search(), retriever.search(mode="dense"), retriever.index("new", ["words"], {})):
            assert checked(answer) == 400
            assert answer.json()["error"]["code"] == "embedding_mismatch"
        assert retriever.search(mode="sparse").status_code == 200
    finally:
        models[served.name] = served
