"""Two replicas of the retriever over one catalog and one vector store: what one has done, the other knows at once.

The vector store is the server's API in memory, shared by both, since no two processes can share an embedded one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.home.postgres import postgres_installed, temporary_postgres

from contracts.retrieval.chunks import ChunkBatch, ChunkInput, CommitRequest, DocumentFacts
from contracts.retrieval.collections import CollectionChange, CollectionCreate
from contracts.retrieval.reindex import ReindexRequest
from contracts.retrieval.search import SearchReply, SearchRequest
from retriever.bootstrap import MIGRATIONS, assemble
from retriever.dependencies import Dependencies
from retriever.errors import CollectionNotFound, StaleRevision
from retriever.models.protocol import EmbeddingModel
from retriever.settings import RetrieverSettings
from retriever.stores.points import RevisionKey
from retriever.stores.qdrant.store import QdrantStore
from retriever.testing.hashed_embedder import HashedEmbedder
from retriever.testing.lexical_reranker import LexicalReranker
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

DATABASES = ["sqlite", *(["postgres"] if postgres_installed() else [])]
TENANT, NAME = "acme", "handbook"
FACTS = DocumentFacts(title="Rules", source="rules.txt", media_type="text/plain")


@dataclass
class Replica:
    """One replica, and short words for what the tests do with it."""

    parts: Dependencies

    async def put(self, document: str, revision: int, *texts: str) -> None:
        record = await self.parts.collection_repository.get_collection(TENANT, NAME)
        chunks = [ChunkInput(ordinal=at, text=text, start=0, end=len(text)) for at, text in enumerate(texts)]
        batch = ChunkBatch(document=FACTS, chunks=chunks)
        await self.parts.indexing.write_chunks(record, RevisionKey(record.id, document, revision), batch, "token")

    async def commit(self, document: str, revision: int, chunks: int) -> None:
        record = await self.parts.collection_repository.get_collection(TENANT, NAME)
        wanted = CommitRequest(document=FACTS, chunks=chunks)
        await self.parts.indexing.commit_revision(record, RevisionKey(record.id, document, revision), wanted)

    async def delete(self, document: str, revision: int) -> None:
        record = await self.parts.collection_repository.get_collection(TENANT, NAME)
        await self.parts.indexing.delete_document(record, RevisionKey(record.id, document, revision))

    async def search(self, query: str) -> SearchReply:
        request = SearchRequest(collections=[NAME], query=query)
        return await self.parts.search.search(TENANT, request, "token")

    async def found(self, query: str) -> list[str]:
        return [hit.text for hit in (await self.search(query)).hits]


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest) -> Iterator[SecretStr | None]:
    if request.param == "sqlite":
        yield None
        return
    with temporary_postgres() as postgres:
        yield SecretStr(postgres)


@pytest.fixture
async def replicas(url: SecretStr | None, tmp_path: Path) -> AsyncIterator[tuple[Replica, Replica]]:
    store = QdrantStore.in_memory()
    databases = [Database.open(url, tmp_path, "retriever") for _ in range(2)]
    await migrate(databases[0], MIGRATIONS)
    embedders = [HashedEmbedder(more=[EmbeddingModel("other", 32, 256)]) for _ in databases]
    first, second = (
        Replica(assemble(RetrieverSettings(), database, store, embedder, LexicalReranker()))
        for database, embedder in zip(databases, embedders, strict=True)
    )
    await first.parts.collections.create_collection(TENANT, CollectionCreate(name=NAME), "token")
    yield first, second
    for database in databases:
        await database.close()
    await store.close()


Both = tuple[Replica, Replica]


async def test_a_revision_can_be_written_by_both_and_is_found_by_both(replicas: Both) -> None:
    first, second = replicas
    await first.put("d", 1, "The lantern burns oil.")
    assert await second.found("lantern") == ["The lantern burns oil."]
    await second.commit("d", 1, 1)
    await second.put("d", 2, "The lantern burns gas.")
    assert await first.found("lantern") == ["The lantern burns oil."]
    await first.commit("d", 2, 1)
    assert await second.found("lantern") == await first.found("lantern") == ["The lantern burns gas."]


async def test_what_one_deleted_the_other_neither_finds_nor_takes(replicas: Both) -> None:
    first, second = replicas
    await first.put("d", 1, "The lantern burns oil.")
    await first.commit("d", 1, 1)
    assert await second.found("lantern")
    await first.delete("d", 1)
    assert await second.found("lantern") == []
    with pytest.raises(StaleRevision):
        await second.put("d", 1, "The lantern burns oil.")


async def test_a_collection_revision_grows_on_both_so_that_a_cache_can_trust_either(replicas: Both) -> None:
    first, second = replicas
    seen = []
    for revision, writer in enumerate((first, second, first, second), start=1):
        await writer.put("d", revision, f"Revision {revision}.")
        await writer.commit("d", revision, 1)
        numbers = {(await each.search("revision")).collection_revision for each in replicas}
        assert len(numbers) == 1
        seen.append(numbers.pop())
    assert seen == sorted(set(seen))


async def test_a_changed_setting_holds_for_the_next_search_of_either(replicas: Both) -> None:
    first, second = replicas
    await first.put("d", 1, "The lantern burns oil.", "Lanterns are sold.")
    assert all(hit.scores.rerank is None for hit in (await second.search("lantern")).hits)
    await first.parts.collection_repository.update_collection(TENANT, NAME, CollectionChange(rerank=True))
    assert all(hit.scores.rerank is not None for hit in (await second.search("lantern")).hits)


async def test_a_reindex_may_be_driven_by_turns_while_both_are_searched(replicas: Both) -> None:
    first, second = replicas
    for at in range(30):
        await first.put(f"d{at}", 1, f"The lantern number {at} burns oil.")
        await first.commit(f"d{at}", 1, 1)
    done = asyncio.Event()
    empty = 0

    async def keep_searching(replica: Replica) -> None:
        nonlocal empty
        while not done.is_set():
            empty += not await replica.found("lantern")
            await asyncio.sleep(0)

    searching = [asyncio.create_task(keep_searching(each)) for each in replicas]
    record = await first.parts.collection_repository.get_collection(TENANT, NAME)
    shadow = await first.parts.reindex.create_shadow(record, "k", ReindexRequest(embedding_model="other"), "token")
    await first.parts.reindex.copy_chunks(record, shadow.generation, "token")
    await second.put("late", 1, "A late lantern.")
    await second.commit("late", 1, 1)
    await first.delete("d0", 1)
    for turn in range(100):
        driver = replicas[turn % 2].parts.reindex
        shadow = await driver.copy_chunks(record, shadow.generation, "token")
        if shadow.left == 0 and (await driver.flip_shadow(record, shadow.generation)).state == "active":
            break
    done.set()
    await asyncio.gather(*searching)
    assert empty == 0
    for replica in replicas:
        assert (await replica.parts.collection_repository.get_collection(TENANT, NAME)).embedding_model == "other"
        request = SearchRequest(collections=[NAME], query="late lantern", limit=50, mode="dense")
        hits = (await replica.parts.search.search(TENANT, request, "token")).hits
        assert {hit.document_id for hit in hits} == {*(f"d{at}" for at in range(1, 30)), "late"}


async def test_a_deleted_collection_is_not_found_by_either(replicas: Both) -> None:
    first, second = replicas
    await first.put("d", 1, "The lantern burns oil.")
    await second.parts.collections.delete_collection(TENANT, NAME)
    for replica in replicas:
        with pytest.raises(CollectionNotFound):
            await replica.search("lantern")
