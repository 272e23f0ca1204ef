"""Readers never see a gap, a mixture or something deleted, whatever is written while they search."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.retriever.service import Tokens, retriever_client

from retriever.testing.hashed_embedder import HashedEmbedder

COLLECTIONS = ("a", "b", "c")
REVISIONS, READERS, DELETIONS = 5, 3, 4
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "dense": {"mode": "dense"},
    "sparse": {"mode": "sparse"},
    "grouped": {"group_by": "document"},
    "filtered": {"filter": {"must": [{"key": "metadata.kind", "match": "letter"}]}},
    "paged": {"limit": 3, "offset": 1},
}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    tokens = Tokens(tmp_path)
    async with retriever_client(tmp_path / "data", tokens, HashedEmbedder()) as opened:
        opened.headers["Authorization"] = f"Bearer {tokens.token()}"
        for name in COLLECTIONS:
            assert (await opened.post("/v1/collections", json={"name": name})).status_code == 201
        yield opened


async def _index(client: httpx2.AsyncClient, collection: str, document: str, revision: int, texts: list[str]) -> None:
    facts = {"title": "T", "source": "s.txt", "media_type": "text/plain", "metadata": {"kind": "letter"}}
    path = f"/v1/collections/{collection}/documents/{document}/revisions/{revision}"
    for at, text in enumerate(texts):  # a batch a chunk, so that readers come in between
        chunk = {"ordinal": at, "text": text, "start": 0, "end": len(text)}
        answer = await client.put(f"{path}/chunks", json={"document": facts, "chunks": [chunk]})
        assert answer.status_code == 200, answer.text
    answer = await client.post(f"{path}/commit", json={"document": facts, "chunks": len(texts)})
    assert answer.status_code == 200, answer.text


async def _search(client: httpx2.AsyncClient, **options: Any) -> dict[str, Any]:
    body = {"collections": list(COLLECTIONS), "query": "lantern harbour", "limit": 50, **options}
    answer = await client.post("/v1/search", json=body)
    assert answer.status_code == 200, answer.text
    reply: dict[str, Any] = answer.json()
    return reply


async def _while(work: Awaitable[None], read: Callable[[random.Random], Awaitable[None]]) -> int:
    """Do the work while readers read; how often they did."""
    over, reads = asyncio.Event(), 0

    async def reader(seed: int) -> None:
        nonlocal reads
        chance = random.Random(seed)
        while not over.is_set():
            await read(chance)
            reads += 1

    async with asyncio.TaskGroup() as group:
        for seed in range(READERS):
            group.create_task(reader(seed))
        try:
            await work
        finally:
            over.set()
    return reads


def _texts(revision: int) -> list[str]:
    """A revision's chunks: some as before, some new, and not always as many."""
    return [f"lantern harbour common {at}" for at in range(3)] + [
        f"lantern harbour revision {revision} part {at}" for at in range(2 + revision % 3)
    ]


async def test_each_reply_shows_one_whole_revision_of_a_document_while_revisions_alternate(
    client: httpx2.AsyncClient,
) -> None:
    committed = dict.fromkeys(COLLECTIONS, 1)
    seen = dict.fromkeys(COLLECTIONS, 0)
    for name in COLLECTIONS:
        await _index(client, name, "letter", 1, _texts(1))

    async def revise() -> None:
        for revision in range(2, REVISIONS):
            for name in COLLECTIONS:
                await _index(client, name, "letter", revision, _texts(revision))
                committed[name] = revision

    async def read(chance: random.Random) -> None:
        shape = chance.choice(list(SHAPES))
        at_least = dict(committed)
        reply = await _search(client, **SHAPES[shape])
        for name in COLLECTIONS:
            hits = [hit for hit in reply["hits"] if hit["collection"] == name]
            revisions = {hit["revision"] for hit in hits}
            if shape == "paged" and not hits:
                continue
            assert len(revisions) == 1, f"a gap or a mixture: {revisions}"
            (revision,) = revisions
            assert revision >= at_least[name], "an older revision than one that was committed before the search"
            seen[name] = max(seen[name], revision)
            if shape in ("plain", "filtered", "sparse", "dense"):
                assert sorted(hit["text"] for hit in hits) == sorted(_texts(revision))

    assert await _while(revise(), read) > REVISIONS
    assert max(seen.values()) > 1


async def test_a_deleted_document_is_not_found_by_the_very_next_search_among_concurrent_ones(
    client: httpx2.AsyncClient,
) -> None:
    names = [(name, f"d{at}") for at in range(DELETIONS) for name in COLLECTIONS]
    for name, document in names:
        await _index(client, name, document, 1, [f"lantern harbour {document}", f"harbour {document} more"])
    deleted: set[tuple[str, str]] = set()

    async def delete() -> None:
        for at, (name, document) in enumerate(names):
            answer = await client.delete(f"/v1/collections/{name}/documents/{document}?revision=1")
            assert answer.status_code == 204
            deleted.add((name, document))
            shape = list(SHAPES)[at % len(SHAPES)]
            reply = await _search(client, **SHAPES[shape])
            assert (name, document) not in {(hit["collection"], hit["document_id"]) for hit in reply["hits"]}, shape

    async def read(chance: random.Random) -> None:
        gone = set(deleted)
        reply = await _search(client, **chance.choice(list(SHAPES.values())))
        assert gone.isdisjoint((hit["collection"], hit["document_id"]) for hit in reply["hits"])

    assert await _while(delete(), read) > DELETIONS
    assert (await _search(client))["hits"] == []


async def test_pages_of_a_quiet_collection_are_one_ranking_while_another_one_changes(
    client: httpx2.AsyncClient,
) -> None:
    for at in range(12):
        await _index(client, "a", f"d{at}", 1, [f"lantern {'harbour ' * at} {at}"])
    whole = [hit["chunk_id"] for hit in (await _search(client, collections=["a"]))["hits"]]

    async def change() -> None:
        for revision in range(1, REVISIONS):
            await _index(client, "b", "letter", revision, _texts(revision))

    async def read(chance: random.Random) -> None:
        pages = [await _search(client, collections=["a"], limit=5, offset=offset) for offset in (0, 5, 10)]
        assert [hit["chunk_id"] for page in pages for hit in page["hits"]] == whole

    assert await _while(change(), read) > 1


async def test_a_collection_deleted_in_the_middle_of_searches_is_found_whole_or_not_at_all(
    client: httpx2.AsyncClient,
) -> None:
    codes: set[str] = set()
    here = False

    async def come_and_go() -> None:
        nonlocal here
        for _ in range(3):
            await _index(client, "b", "letter", 1, _texts(1))
            here = True
            await _search(client)
            here = False
            assert (await client.delete("/v1/collections/b")).status_code == 204
            answer = await client.post("/v1/search", json={"collections": ["b"], "query": "lantern"})
            assert answer.json()["error"]["code"] == "collection_not_found"
            assert (await client.post("/v1/collections", json={"name": "b"})).status_code == 201

    async def read(chance: random.Random) -> None:
        options = chance.choice([each for name, each in SHAPES.items() if name != "paged"])
        before = here
        body = {"collections": ["a", "b"], "query": "lantern harbour", "limit": 50, **options}
        answer = await client.post("/v1/search", json=body)
        codes.add(str(answer.status_code))
        if answer.status_code == 404:
            assert answer.json()["error"]["code"] == "collection_not_found"
        else:
            assert answer.status_code == 200, answer.text
            assert answer.json()["hits"] or not (before and here)

    await _while(come_and_go(), read)
    assert codes == {"200", "404"}
