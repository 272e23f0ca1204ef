"""Two tenants whose collections and documents have the same names: no call of the retriever mixes them up.

The calls are read from the app, so that a new one is tried by itself or fails for lack of an example.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.api.openapi_walk import Operation, operations
from tests.support.retriever.service import Tokens, retriever_client

from retriever.testing.hashed_embedder import HashedEmbedder

BOTH, VAULT, DOCUMENT = "handbook", "vault", "d-1"
TEXT, METADATA = "The wombat password is xylophone.", {"codename": "quetzal", "year": 1987}
KEYS: dict[str, Any] = {
    "document_id": DOCUMENT,
    "title": "Zanzibar",
    "source": "zanzibar.md",
    "media_type": "text/markdown",
    "page": 7,
    "metadata.codename": "quetzal",
    "metadata.year": 1987,
}


def _filters() -> Iterator[dict[str, Any]]:
    for key, value in KEYS.items():
        tests: list[dict[str, Any]] = [{"match": value}, {"match": [value, "x"]}]
        if isinstance(value, int):
            tests.append({"range": {"gte": value, "lte": value}})
        yield from ({place: [{"key": key, **test}]} for test in tests for place in ("must", "should", "must_not"))


def _facts(title: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "source": "zanzibar.md", "media_type": "text/markdown", "metadata": metadata}


def _chunk(text: str) -> dict[str, Any]:
    return {"ordinal": 0, "text": text, "start": 0, "end": len(text), "page": 7}


async def _fill(
    client: httpx2.AsyncClient, headers: dict[str, str], collection: str, text: str, facts: dict[str, Any]
) -> None:
    made = await client.post("/v1/collections", json={"name": collection}, headers=headers)
    assert made.status_code == 201
    for document in (DOCUMENT, "d-2"):
        path = f"/v1/collections/{collection}/documents/{document}/revisions/1"
        body = {"document": facts, "chunks": [_chunk(text), {**_chunk(text), "ordinal": 1}]}
        assert (await client.put(f"{path}/chunks", json=body, headers=headers)).status_code == 200
        body = {"document": facts, "chunks": 2}
        assert (await client.post(f"{path}/commit", json=body, headers=headers)).status_code == 200


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path)


@pytest.fixture
def headers(tokens: Tokens) -> dict[str, dict[str, str]]:
    """The victim's, the stranger's, and those of a key of the victim's tenant for another collection."""
    made = {
        "victim": tokens.token("acme"),
        "stranger": tokens.token("globex"),
        "narrow": tokens.token("acme", collections=("elsewhere",)),
    }
    return {name: {"Authorization": f"Bearer {token}"} for name, token in made.items()}


@pytest.fixture
async def client(
    tmp_path: Path, tokens: Tokens, headers: dict[str, dict[str, str]]
) -> AsyncIterator[httpx2.AsyncClient]:
    async with retriever_client(tmp_path / "data", tokens, HashedEmbedder()) as opened:
        for name in (BOTH, VAULT):
            await _fill(opened, headers["victim"], name, TEXT, _facts("Zanzibar", METADATA))
        wanted = {"key": SHADOW_KEY, "wanted": {"language": "de"}}
        shadow = await opened.post(f"/v1/collections/{VAULT}/shadows", json=wanted, headers=headers["victim"])
        assert shadow.status_code == 200
        await _fill(opened, headers["stranger"], BOTH, "The door is blue.", _facts("Doors", {"codename": "sparrow"}))
        yield opened


STAGED = "documents/{document_id}/revisions/{revision}"
REVISION, SHADOWS = f"/v1/collections/{{name}}/{STAGED}", "/v1/collections/{name}/shadows"
CHUNKS = {"document": _facts("Doors", {}), "chunks": [_chunk("The door is red.")]}
COMMIT = {"document": _facts("Doors", {}), "chunks": 2}
SHADOW_KEY = "a-job-of-the-victim"
BODIES: dict[str, list[dict[str, Any]]] = {
    "POST /v1/collections": [{"name": "elsewhere"}],
    "POST /v1/collections/{name}/binding": [{"text": "Mine."}],
    "PATCH /v1/collections/{name}": [{"description": "Mine."}],
    f"PUT {REVISION}/chunks": [CHUNKS],
    f"POST {REVISION}/commit": [COMMIT],
    f"PUT {SHADOWS}/{{number}}/{STAGED}/chunks": [CHUNKS],
    f"POST {SHADOWS}/{{number}}/{STAGED}/commit": [COMMIT],
    f"POST {SHADOWS}/plan": [{"language": "de"}],
    f"POST {SHADOWS}": [{"key": "another", "wanted": {"language": "de"}}],
    "POST /v1/search": [
        {"collections": names, "query": "wombat password", "limit": 100, "filter": one, "mode": mode}
        for names in ([BOTH], [VAULT], [BOTH, VAULT])
        for one in (None, *_filters())
        for mode in ("hybrid", "sparse")
    ],
}
LAST = ["DELETE /v1/collections/{name}/documents/{document_id}", "DELETE /v1/collections/{name}"]


async def _requests(
    client: httpx2.AsyncClient, victim: dict[str, str], calls: list[Operation]
) -> list[tuple[Operation, str, dict[str, str], dict[str, Any]]]:
    values = {"collections": (BOTH, VAULT), "documents": (DOCUMENT,), "revisions": ("1", "2"), "shadows": ("2",)}
    values["tenants"] = ("acme",)
    lists = ("/v1/collections", f"/v1/collections/{VAULT}/documents/{DOCUMENT}/chunks")
    cursors = [(await client.get(path, params={"limit": 1}, headers=victim)).json()["next_cursor"] for path in lists]
    assert all(cursors)
    queries = {"cursor": tuple(cursors), "key": (SHADOW_KEY,), "layout": ("1", "2"), "commit": ("1",)}
    queries |= {"limit": ("1",), "revision": ("9",), "first": ("0",)}
    found = []
    for call in calls:
        assert set(call.owners.values()) <= set(values), f"{call.name}: give values"
        assert set(call.queries) <= set(queries), f"{call.name}: give values of its query"
        assert not call.media or call.name in BODIES, f"{call.name}: give a body"
        for path, given in call.paths(values):
            for body in BODIES.get(call.name, [{}]):
                carried = {"json": body} if body else {}
                tried = call.query_strings(queries)
                found += [(call, path, given, {"params": query, **carried}) for query in tried]
    return found


@pytest.mark.parametrize("who", ["stranger", "narrow"])
async def test_no_call_finds_or_tells_anything_of_another(
    client: httpx2.AsyncClient, headers: dict[str, dict[str, str]], who: str
) -> None:
    document = (await client.get("/openapi.json")).json()
    calls = [call for call in operations(document) if call.path.startswith("/v1/")]
    calls.sort(key=lambda call: LAST.index(call.name) if call.name in LAST else -1)
    shown = [f"/v1/collections/{name}" for name in (BOTH, VAULT)]
    before = [(await client.get(path, headers=headers["victim"])).json() for path in shown]
    chunks = f"/v1/collections/{VAULT}/documents/{DOCUMENT}/chunks"
    ids = [chunk["chunk_id"] for chunk in (await client.get(chunks, headers=headers["victim"])).json()["data"]]
    secrets = ("wombat", "xylophone", "quetzal", "Zanzibar", *ids)
    for call, path, given, options in await _requests(client, headers["victim"], calls):
        answer = await client.request(call.method, path, headers=headers[who], **options)
        assert answer.status_code < 500, (call.name, answer.text)
        if "tenants" in given or call.path == "/v1/backup":
            assert answer.status_code == 403, (call.name, who)
        names = (
            {given["collections"]} if "collections" in given else set(options.get("json", {}).get("collections", ()))
        )
        if names and (VAULT in names or who == "narrow"):
            refused = (403, 404) if call.name != "DELETE /v1/collections/{name}" else (204, 403, 404)
            assert answer.status_code in refused, (call.name, path, options)
        told = [word for word in secrets if word in answer.text]
        assert not told, (call.name, path, options, answer.text)
    assert [(await client.get(path, headers=headers["victim"])).json() for path in shown] == before
    body = {"collections": [BOTH, VAULT], "query": "wombat", "limit": 100}
    hits = (await client.post("/v1/search", json=body, headers=headers["victim"])).json()["hits"]
    assert [hit["text"] for hit in hits] == [TEXT] * 8
