from __future__ import annotations

import httpx2


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
