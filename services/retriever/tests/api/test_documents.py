from __future__ import annotations

import httpx2

DOCUMENT = "/v1/collections/handbook/documents/e"
FACTS = {"title": "T", "source": "e.txt", "media_type": "text/plain", "metadata": {}}


async def test_a_revision_arrives_is_committed_read_and_deleted(client: httpx2.AsyncClient) -> None:
    chunks = [{"ordinal": at, "text": text, "start": 0, "end": 5} for at, text in enumerate(("Alpha", "Gamma"))]
    url = f"{DOCUMENT}/revisions/1/chunks"
    indexed = await client.put(url, json={"document": FACTS, "chunks": chunks[:1]})
    assert (indexed.json()["embedded"], indexed.json()["committed"]) == (1, None)
    whole = await client.put(url, params={"commit": 2}, json={"document": FACTS, "chunks": chunks[1:]})
    assert whole.json()["committed"]["chunks"] == 2
    page = (await client.get(f"{DOCUMENT}/chunks", params={"limit": 1})).json()
    assert [each["text"] for each in page["data"]] == ["Alpha"]
    embeddings = (await client.get(f"{DOCUMENT}/revisions/1/embeddings")).json()["embeddings"]
    assert [each.partition(" ")[0] for each in embeddings] == ["hashed", "hashed"]
    assert (await client.delete(DOCUMENT)).status_code == 204
    assert (await client.get(f"{DOCUMENT}/chunks")).json()["error"]["code"] == "document_not_found"
    late = await client.put(url, json={"document": FACTS, "chunks": chunks})
    assert late.json()["error"]["code"] == "stale_revision"


async def test_deleting_what_was_never_there_does_nothing(client: httpx2.AsyncClient) -> None:
    assert (await client.delete("/v1/collections/handbook/documents/unknown")).status_code == 204
