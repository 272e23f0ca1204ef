"""The retriever's domain over shipped adapters: SQLite, Qdrant's client in memory, embeddings from hashes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_socket import disable_socket
from tests.support.sql.migrated import open_migrated

from contracts.models.reading import Languages
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch, ChunkInput, CommitRequest, Committed, DocumentFacts
from contracts.retrieval.collections import CollectionCreate
from contracts.retrieval.search import SearchReply, SearchRequest
from retriever.bootstrap import MIGRATIONS, assemble
from retriever.catalog.collections import CollectionRecord
from retriever.dependencies import Dependencies
from retriever.models.protocol import EmbeddingModel
from retriever.settings import RetrieverSettings
from retriever.stores.points import RevisionKey
from retriever.stores.qdrant.store import QdrantStore
from retriever.testing.hashed_embedder import HashedEmbedder
from retriever.testing.lexical_reranker import LexicalReranker
from servicekit.sql.database import Database

TENANT = "acme"
TEXTS = ["The lantern burns oil.", "The harbour freezes in winter.", "Falcons nest on the tower."]
RERANKED = 12
"""How many hits the bench reranks."""


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


def chunk(ordinal: int, text: str, header: str = "", page: int | None = None) -> ChunkInput:
    return ChunkInput(ordinal=ordinal, text=text, start=100, end=100 + len(text), header=header, page=page)


@dataclass
class Bench:
    """One retriever, and short words for what the tests do with it."""

    parts: Dependencies
    embedder: HashedEmbedder
    reranker: LexicalReranker

    async def create(self, name: str = "handbook", tenant: str = TENANT, **wanted: Any) -> CollectionRecord:
        await self.parts.collections.create_collection(tenant, CollectionCreate(name=name, **wanted), "token")
        return await self.parts.collection_repository.get_collection(tenant, name)

    async def put(
        self,
        record: CollectionRecord,
        document: str,
        revision: int,
        chunks: Sequence[ChunkInput | str],
        **metadata: Any,
    ) -> BatchIndexed:
        made = [each if isinstance(each, ChunkInput) else chunk(at, each) for at, each in enumerate(chunks)]
        batch = ChunkBatch(document=facts(document, **metadata), chunks=made)
        return await self.parts.indexing.write_chunks(
            record, RevisionKey(record.id, document, revision), batch, "token"
        )

    async def commit(self, record: CollectionRecord, document: str, revision: int, chunks: int) -> Committed:
        wanted = CommitRequest(document=facts(document), chunks=chunks)
        return await self.parts.indexing.commit_revision(record, RevisionKey(record.id, document, revision), wanted)

    async def index(
        self, record: CollectionRecord, document: str, revision: int, chunks: Sequence[str], **metadata: Any
    ) -> None:
        await self.put(record, document, revision, chunks, **metadata)
        await self.commit(record, document, revision, len(chunks))

    async def delete(self, record: CollectionRecord, document: str, revision: int) -> None:
        await self.parts.indexing.delete_document(record, RevisionKey(record.id, document, revision))

    async def search(self, query: str, collections: Sequence[str] = ("handbook",), **options: Any) -> SearchReply:
        request = SearchRequest.model_validate({"collections": list(collections), "query": query, **options})
        return await self.parts.search.search(TENANT, request, "token")

    async def revision(self, name: str = "handbook") -> int:
        return (await self.parts.collection_repository.get_collection(TENANT, name)).revision


def facts(document: str, **metadata: Any) -> DocumentFacts:
    return DocumentFacts(title=f"On {document}", source=f"{document}.txt", media_type="text/plain", metadata=metadata)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_migrated(tmp_path, "retriever", MIGRATIONS)
    yield opened
    await opened.close()


@pytest.fixture
def more_models() -> Sequence[EmbeddingModel]:
    """Embedding models beside the default one."""
    return ()


@pytest.fixture
def reads() -> Languages | None:
    """What the default embedding model says that it reads."""
    return None


@pytest.fixture
async def bench(
    database: Database, more_models: Sequence[EmbeddingModel], reads: Languages | None
) -> AsyncIterator[Bench]:
    store, reranker = QdrantStore.in_memory(), LexicalReranker()
    embedder = HashedEmbedder(more=more_models, languages=reads)
    settings = RetrieverSettings(rerank_candidates=RERANKED, rerank_milliseconds=100, rerank_weight=0.9)
    yield Bench(assemble(settings, database, store, embedder, reranker), embedder, reranker)
    await store.close()
