from __future__ import annotations

from collections.abc import Sequence

import httpx2
import pytest

from contracts.models.reading import Languages
from retriever.models.protocol import EmbeddingModel


async def test_a_collection_is_made_changed_listed_and_deleted(client: httpx2.AsyncClient) -> None:
    made = await client.post("/v1/collections", json={"name": "new", "description": "First"})
    assert (made.status_code, made.json()["documents"]) == (201, 0)
    assert (await client.post("/v1/collections", json={"name": "new"})).json()["error"]["code"] == "collection_exists"
    changed = await client.patch("/v1/collections/new", json={"description": "Second"})
    assert (changed.json()["description"], changed.json()["revision"]) == ("Second", 1)
    page = (await client.get("/v1/collections", params={"limit": 1})).json()
    assert [each["name"] for each in page["data"]] == ["handbook"]
    rest = (await client.get("/v1/collections", params={"limit": 1, "cursor": page["next_cursor"]})).json()
    assert ([each["name"] for each in rest["data"]], rest["next_cursor"]) == (["new"], None)
    for _ in range(2):
        assert (await client.delete("/v1/collections/new")).status_code == 204
    assert (await client.get("/v1/collections/new")).status_code == 404


async def test_a_collection_says_how_far_its_vectors_are_indexed(client: httpx2.AsyncClient) -> None:
    index = (await client.get("/v1/collections/handbook")).json()["index"]
    assert (index["state"], index["points"]) == ("green", 3)


async def test_a_collection_that_has_a_model_keeps_it_whatever_comes_first(client: httpx2.AsyncClient) -> None:
    bound = await client.post("/v1/collections/handbook/binding", json={"text": "Der Vertrag und das Gesetz."})
    assert (bound.status_code, bound.json()["embedding_model"]) == (200, "hashed")
    assert (await client.post("/v1/collections/none/binding", json={"text": "x"})).status_code == 404
    assert (await client.post("/v1/collections/handbook/binding", json={})).status_code == 422


class TestUnbound:
    """With models among which a document chooses."""

    @pytest.fixture
    def reads(self) -> Languages:
        return ("en",)

    @pytest.fixture
    def more_models(self) -> Sequence[EmbeddingModel]:
        return (EmbeddingModel("many", 32, 512, "all"),)

    async def test_chunks_that_come_without_a_word_bind_it_too(self, client: httpx2.AsyncClient) -> None:
        made = (await client.post("/v1/collections", json={"name": "new"})).json()
        assert (made["embedding_model"], made["embedding_model_reason"]) == ("auto", None)
        text = "Der Vertrag verlängert sich um ein Jahr, wenn er nicht gekündigt wird."
        facts = {"title": "T", "source": "e.txt", "media_type": "text/plain", "metadata": {}}
        chunks = [{"ordinal": 0, "text": text, "start": 0, "end": len(text)}]
        url = "/v1/collections/new/documents/e/revisions/1/chunks"
        indexed = await client.put(url, params={"commit": 1}, json={"document": facts, "chunks": chunks})
        assert indexed.json()["committed"]["chunks"] == 1
        shown = (await client.get("/v1/collections/new")).json()
        assert (shown["embedding_model"], shown["dimensions"]) == ("many", 32)
        assert shown["embedding_model_reason"] == "its first document is in de"
