"""The retriever's calls as `docs/architecture.md` lists them: statuses, codes, who may do what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.retriever.service import Tokens, retriever_client

from contracts.core.errors import ErrorEnvelope
from contracts.core.health import Health
from contracts.core.pages import Page
from contracts.documents.documents import DocumentChunk
from contracts.retrieval.chunks import BatchIndexed, Committed
from contracts.retrieval.collections import Collection
from contracts.retrieval.search import SearchReply
from retriever.testing.hashed_embedder import HashedEmbedder
from servicekit.peers.client import PeerUnreachable

FACTS = {"title": "Handbook", "source": "handbook.md", "media_type": "text/markdown", "metadata": {"team": "hr"}}
DOCUMENT = "/v1/collections/handbook/documents/d-1"


def _chunks(*texts: str) -> dict[str, Any]:
    chunks = [{"ordinal": at, "text": text, "start": 5, "end": 5 + len(text)} for at, text in enumerate(texts)]
    return {"document": FACTS, "chunks": chunks}


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path)


@pytest.fixture
def embedder() -> HashedEmbedder:
    return HashedEmbedder()


@pytest.fixture
async def client(tmp_path: Path, tokens: Tokens, embedder: HashedEmbedder) -> AsyncIterator[httpx2.AsyncClient]:
    async with retriever_client(tmp_path / "data", tokens, embedder) as opened:
        opened.headers["Authorization"] = f"Bearer {tokens.token()}"
        yield opened


def _error(response: httpx2.Response, status: int, code: str) -> str:
    error = ErrorEnvelope.model_validate_json(response.content).error
    assert (response.status_code, error.code) == (status, code), response.text
    assert error.request_id == response.headers["x-request-id"]
    return error.message


async def _create(client: httpx2.AsyncClient, name: str = "handbook") -> None:
    assert (await client.post("/v1/collections", json={"name": name})).status_code == 201


async def _index(client: httpx2.AsyncClient, *texts: str, revision: int = 1) -> None:
    await client.put(f"{DOCUMENT}/revisions/{revision}/chunks", json=_chunks(*texts))
    body = {"document": FACTS, "chunks": len(texts)}
    assert (await client.post(f"{DOCUMENT}/revisions/{revision}/commit", json=body)).status_code == 200


async def _search(client: httpx2.AsyncClient, query: str, **options: Any) -> httpx2.Response:
    return await client.post("/v1/search", json={"collections": ["handbook"], "query": query, **options})


async def test_a_document_goes_in_is_found_and_goes_away(client: httpx2.AsyncClient) -> None:
    made = await client.post("/v1/collections", json={"name": "handbook", "description": "Rules"})
    assert made.status_code == 201
    assert Collection.model_validate_json(made.content).embedding_model == "hashed"
    batch = await client.put(f"{DOCUMENT}/revisions/1/chunks", json=_chunks("The lantern burns oil.", "Winter."))
    assert BatchIndexed.model_validate_json(batch.content).embedded == 2
    committed = await client.post(f"{DOCUMENT}/revisions/1/commit", json={"document": FACTS, "chunks": 2})
    assert Committed.model_validate_json(committed.content).chunks == 2
    shown = Collection.model_validate_json((await client.get("/v1/collections/handbook")).content)
    assert (shown.documents, shown.chunks) == (1, 2)
    page = Page[DocumentChunk].model_validate_json((await client.get(f"{DOCUMENT}/chunks?limit=1")).content)
    assert [chunk.text for chunk in page.data] == ["The lantern burns oil."]
    reply = SearchReply.model_validate_json((await _search(client, "lantern")).content)
    assert (reply.hits[0].document_id, reply.hits[0].start, reply.hits[0].end) == ("d-1", 5, 27)
    assert (await client.delete(f"{DOCUMENT}?revision=1")).status_code == 204
    assert SearchReply.model_validate_json((await _search(client, "lantern")).content).hits == []
    assert (await client.delete(f"{DOCUMENT}?revision=1")).status_code == 204
    assert (await client.delete("/v1/collections/handbook")).status_code == 204
    assert (await client.delete("/v1/collections/handbook")).status_code == 204
    _error(await client.get("/v1/collections/handbook"), 404, "collection_not_found")


async def test_conflicts_have_their_codes(client: httpx2.AsyncClient) -> None:
    await _create(client)
    _error(await client.post("/v1/collections", json={"name": "handbook"}), 409, "collection_exists")
    await client.put(f"{DOCUMENT}/revisions/2/chunks", json=_chunks("One."))
    short = await client.post(f"{DOCUMENT}/revisions/2/commit", json={"document": FACTS, "chunks": 2})
    assert "but 1 are here" in _error(short, 409, "chunks_missing")
    await _index(client, "One.", revision=2)
    late = await client.put(f"{DOCUMENT}/revisions/2/chunks", json=_chunks("Late."))
    assert "up to 2" in _error(late, 409, "stale_revision")
    late = await client.post(f"{DOCUMENT}/revisions/1/commit", json={"document": FACTS, "chunks": 0})
    _error(late, 409, "stale_revision")


async def test_an_unknown_collection_is_not_found(client: httpx2.AsyncClient) -> None:
    for method, path, body in CALLS[1:]:
        if (method, path) != ("DELETE", "/v1/collections/handbook"):
            answer = await client.request(method, path, json=body)
            assert "'handbook'" in _error(answer, 404, "collection_not_found") or "'other'" in answer.text


CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/v1/collections", {"name": "handbook"}),
    ("GET", "/v1/collections/handbook", None),
    ("DELETE", "/v1/collections/handbook", None),
    ("PUT", f"{DOCUMENT}/revisions/1/chunks", _chunks("x")),
    ("POST", f"{DOCUMENT}/revisions/1/commit", {"document": FACTS, "chunks": 0}),
    ("DELETE", f"{DOCUMENT}?revision=9", None),
    ("GET", f"{DOCUMENT}/chunks", None),
    ("POST", "/v1/search", {"collections": ["handbook"], "query": "x"}),
    ("POST", "/v1/search", {"collections": ["other", "handbook"], "query": "x"}),
]


async def test_a_key_of_other_collections_is_refused(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    await _create(client)
    headers = {"Authorization": f"Bearer {tokens.token(collections=('other',))}"}
    for method, path, body in CALLS:
        refused = await client.request(method, path, json=body, headers=headers)
        _error(refused, 403, "collection_not_allowed")
    assert (await client.get("/v1/collections", headers=headers)).json()["data"] == []


async def test_another_tenant_finds_and_changes_nothing(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    await _create(client)
    await _index(client, "The lantern burns oil.")
    headers = {"Authorization": f"Bearer {tokens.token(tenant='globex')}"}
    for method, path, body in CALLS[1:]:
        answer = await client.request(method, path, json=body, headers=headers)
        assert answer.status_code == (204 if (method, path) == ("DELETE", "/v1/collections/handbook") else 404)
        assert len(SearchReply.model_validate_json((await _search(client, "lantern")).content).hits) == 1
    assert (await client.get("/v1/collections", headers=headers)).json()["data"] == []


async def test_only_the_gateways_tokens_for_this_service_are_accepted(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    client.headers.pop("Authorization")
    others = tokens.token(audiences=("inference", "ingest"))
    expired = tokens.token(lifetime_seconds=-60)
    for authorization in (None, "Bearer nonsense", "Basic abc", f"Bearer {others}", f"Bearer {expired}"):
        headers = {"Authorization": authorization} if authorization else {}
        for method, path, body in CALLS:
            _error(await client.request(method, path, json=body, headers=headers), 401, "invalid_delegation")


UNUSABLE: list[tuple[dict[str, Any], str | None]] = [
    ({"limit": 0}, "limit"),
    ({"limit": 101}, "limit"),
    ({"offset": 10_001}, "offset"),
    ({"offset": -1}, "offset"),
    ({"query": ""}, "query"),
    ({"query": "x" * 40_000}, "query"),
    ({"mode": "psychic"}, "mode"),
    ({"colour": 1}, "colour"),
    ({"collections": []}, "collections"),
    ({"filter": {"must": [{"key": "payload", "match": 1}]}}, "filter.must.0.key"),
    ({"filter": {"must": [{"key": "title"}]}}, "filter.must.0"),
    ({"filter": {"must": [{"key": "page", "range": {}}]}}, "filter.must.0.range"),
    ({"filter": {"must": [{"key": "page", "match": {"a": 1}}]}}, None),
]


async def test_a_search_that_does_not_match_the_schema_says_where(client: httpx2.AsyncClient) -> None:
    await _create(client)
    for options, param in UNUSABLE:
        answer = await client.post("/v1/search", json={"collections": ["handbook"], "query": "x", **options})
        _error(answer, 422, "invalid_body")
        if param is not None:
            assert answer.json()["error"]["param"] == param


QUERIES = ["🙂🙂", "مرحبا بالعالم", "\u202etxet", "a\x00b", " ", "x" * 32_000, "这是一个问题", "'; --"]


async def test_any_query_has_a_correct_answer(client: httpx2.AsyncClient) -> None:
    await _create(client)
    await _index(client, "The lantern burns oil.")
    for query in QUERIES:
        for mode, hits in (("hybrid", 1), ("dense", 1), ("sparse", 0)):
            answer = await _search(client, query, mode=mode)
            assert answer.status_code == 200, query
            assert len(answer.json()["hits"]) == hits, query


async def test_bad_input_to_indexing_is_refused_with_its_place(client: httpx2.AsyncClient) -> None:
    await _create(client)
    wrong_span = {"document": FACTS, "chunks": [{"ordinal": 0, "text": "abc", "start": 0, "end": 9}]}
    _error(await client.put(f"{DOCUMENT}/revisions/1/chunks", json=wrong_span), 422, "invalid_body")
    _error(await client.put(f"{DOCUMENT}/revisions/0/chunks", json=_chunks("x")), 422, "invalid_body")
    _error(
        await client.put(f"{DOCUMENT}/revisions/1/chunks", json={"document": FACTS, "chunks": []}), 422, "invalid_body"
    )
    wide = {**FACTS, "metadata": {"many": list(range(2000))}}
    refused = await client.put(f"{DOCUMENT}/revisions/1/chunks", json=_chunks("x") | {"document": wide})
    _error(refused, 400, "metadata_unusable")
    _error(await client.get(f"{DOCUMENT}/chunks?cursor=nonsense"), 404, "document_not_found")
    await _index(client, "One.")
    _error(await client.get(f"{DOCUMENT}/chunks?cursor=nonsense"), 400, "invalid_cursor")
    _error(await client.get("/v1/collections?cursor=nonsense"), 400, "invalid_cursor")
    _error(
        await client.post("/v1/collections", json={"name": "b", "embedding_model": "x"}), 400, "embedding_model_unknown"
    )


async def test_lists_go_on_where_the_cursor_says(client: httpx2.AsyncClient) -> None:
    for name in ("b", "c", "a"):
        await _create(client, name)
    first = Page[Collection].model_validate_json((await client.get("/v1/collections?limit=2")).content)
    rest = (await client.get("/v1/collections", params={"limit": 2, "cursor": first.next_cursor or ""})).content
    last = Page[Collection].model_validate_json(rest)
    assert [each.name for each in (*first.data, *last.data)] == ["a", "b", "c"]
    assert last.next_cursor is None


async def test_readiness_exercises_each_part_and_does_without_inference(
    client: httpx2.AsyncClient, embedder: HashedEmbedder
) -> None:
    ready = Health.model_validate_json((await client.get("/readyz")).content)
    assert (ready.status, set(ready.parts)) == (
        "ok",
        {"database", "vector_store", "inference", "delegation_key", "disk"},
    )
    embedder.failure = PeerUnreachable("inference")
    answer = await client.get("/readyz")
    without = Health.model_validate_json(answer.content)
    assert (answer.status_code, without.status) == (200, "ok")
    assert "words alone" in without.parts["inference"].detail


async def test_metrics_name_what_happened(client: httpx2.AsyncClient) -> None:
    await _create(client)
    await _index(client, "The lantern burns oil.")
    await _search(client, "lantern")
    text = (await client.get("/metrics")).text
    assert 'groundwork_retriever_searches_total{mode="hybrid",outcome="ok"}' in text
    assert 'groundwork_retriever_chunks_indexed_total{source="embedded"}' in text
    assert 'groundwork_retriever_search_stage_seconds_bucket{le="0.001",stage="total"}' in text


async def test_a_collection_is_changed_within_its_tenant_only(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    await _create(client)
    changed = await client.patch("/v1/collections/handbook", json={"rerank": True})
    assert Collection.model_validate_json(changed.content).rerank
    assert (await client.patch("/v1/collections/handbook", json={})).status_code == 422
    assert (await client.patch("/v1/collections/handbook", json={"rerank_model": ""})).status_code == 422
    other = {"Authorization": f"Bearer {tokens.token('globex')}"}
    away = await client.patch("/v1/collections/handbook", json={"rerank": False}, headers=other)
    _error(away, 404, "collection_not_found")
    restricted = {"Authorization": f"Bearer {tokens.token(collections=('other',))}"}
    denied = await client.patch("/v1/collections/handbook", json={"rerank": False}, headers=restricted)
    _error(denied, 403, "collection_not_allowed")
    shown = await client.get("/v1/collections/handbook")
    assert Collection.model_validate_json(shown.content).rerank


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b'{"collections": ["handbook"], "query": "lantern", "filter": {"must": [{"key": "page", "match": 1}]}}'),
        (200, b'{"collections": ["handbook"], "query": "lantern", "mode": "sparse", "limit": 1}'),
        (404, b'{"collections": ["nobody"], "query": "lantern"}'),
        (422, b'{"collections": ["handbook"], "query": ""}'),
        (422, b'{"collections": ["handbook"], "query": "lantern", "offset": 1e999}'),
        (422, b'{"collections": ["handbook"], '),
        (422, b"\xff\xfe"),
        (422, b"[" * 100_000),
        (422, b""),
    ],
)
async def test_a_search_on_the_short_way_is_answered_as_on_the_long_one(
    client: httpx2.AsyncClient, status: int, content: bytes
) -> None:
    """A media type with a parameter is left to the framework."""
    await _create(client)
    await _index(client, "The lantern burns oil.", "Winter.")
    answers = []
    for media_type in ("application/json", "application/json; charset=utf-8"):
        headers = {"Content-Type": media_type, "X-Request-Id": "req_same"}
        answer = await client.post("/v1/search", content=content, headers=headers)
        shown = answer.json()
        shown.pop("timings", None)
        answers.append((answer.status_code, shown, sorted(answer.headers)))
    assert answers[0] == answers[1]
    assert answers[0][0] == status
    refused = await client.post("/v1/search", content=content, headers={"Authorization": "Bearer nonsense"})
    assert refused.status_code == 401
