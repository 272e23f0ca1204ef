from __future__ import annotations

import httpx
import pytest
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from retriever.errors import GenerationMissing, VectorStoreUnavailable
from retriever.stores import filters
from retriever.stores.qdrant.store import QdrantStore


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (UnexpectedResponse(404, "Not Found", b"", httpx.Headers()), GenerationMissing),
        (UnexpectedResponse(500, "Broken", b"", httpx.Headers()), VectorStoreUnavailable),
        (ResponseHandlingException(OSError("refused")), VectorStoreUnavailable),
    ],
)
async def test_the_client_s_errors_are_ours(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, expected: type[Exception]
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise failure

    store = QdrantStore.in_memory()
    monkeypatch.setattr(store._client, "count", fail)
    with pytest.raises(expected):
        await store.count_points("g", filters.document("d"))
    await store.close()


async def test_generations_are_collections_of_our_own_there() -> None:
    store = QdrantStore.in_memory()
    await store.create_generation("b", 2)
    await store.create_generation("a", 2)
    await store._client.create_collection("foreign", vectors_config={})
    assert await store.list_generations() == ["a", "b"]
    await store.delete_generation("a")
    assert await store.list_generations() == ["b"]
    await store.close()
