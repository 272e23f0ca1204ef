"""A retriever in this process, with its real engine and ranking, filled through ingest's own chunking."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.retriever.embeddings import CachedEmbedder, Engines, Progress
from benchmarks.retriever.retrieval_sets import SetDocument
from contracts.retrieval.chunks import ChunkBatch, ChunkInput, CommitRequest, DocumentFacts
from contracts.retrieval.collections import Chunking, CollectionCreate
from contracts.retrieval.search import SearchMode, SearchReply, SearchRequest
from extraction.chunking.chunker import Chunker
from extraction.chunking.tokens import Tokens
from retriever.bootstrap import MIGRATIONS, assemble, open_store
from retriever.catalog.collections import CollectionRecord
from retriever.dependencies import Dependencies
from retriever.settings import RetrieverSettings
from retriever.stores.points import RevisionKey, embedded_text
from retriever.stores.readiness import prepare
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

TENANT = "bench"
TOKEN = "in-process"
BATCH = 512
WRITERS = 4
ROOMY = 8 * 2**30
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class CutDocument:
    """A document's facts and chunks, as ingest sends them."""

    id: str
    facts: DocumentFacts
    chunks: list[ChunkInput]


@dataclass(frozen=True, slots=True)
class BenchRetriever:
    """One retriever with one embedder."""

    parts: Dependencies
    embedder: CachedEmbedder

    async def fill(self, name: str, documents: list[CutDocument], chunking: Chunking, progress: Progress) -> None:
        """A new collection with these documents; their vectors should be in the cache."""
        await self.parts.collections.create_collection(TENANT, CollectionCreate(name=name, chunking=chunking), TOKEN)
        record = await self.parts.collection_repository.get_collection(TENANT, name)
        slots, done = asyncio.Semaphore(WRITERS), 0

        async def one(document: CutDocument) -> None:
            nonlocal done
            async with slots:
                await self._index(record, document)
            done += 1
            progress(done, len(documents))

        async with asyncio.TaskGroup() as group:
            for document in documents:
                group.create_task(one(document))

    async def search(self, name: str, query: str, mode: SearchMode, limit: int, *, rerank: bool = False) -> SearchReply:
        """The best documents, each once, as the API's `group_by: document` gives them."""
        request = SearchRequest(
            collections=[name], query=query, mode=mode, limit=limit, group_by="document", rerank=rerank
        )
        return await self.parts.search.search(TENANT, request, TOKEN)

    async def drop(self, name: str) -> None:
        """Remove a collection."""
        await self.parts.collections.delete_collection(TENANT, name)

    async def _index(self, record: CollectionRecord, document: CutDocument) -> None:
        key = RevisionKey(record.id, document.id, 1)
        for first in range(0, len(document.chunks), BATCH):
            batch = ChunkBatch(document=document.facts, chunks=document.chunks[first : first + BATCH])
            await self.parts.indexing.write_chunks(record, key, batch, TOKEN)
        await self.parts.indexing.commit_revision(
            record, key, CommitRequest(document=document.facts, chunks=len(document.chunks))
        )


def cut(documents: Iterable[SetDocument], embedder: CachedEmbedder, chunking: Chunking) -> Iterator[CutDocument]:
    """The documents' chunks, cut by ingest for this model."""
    cutter = Chunker(Tokens.from_json(embedder.tokenizer), chunking, embedder.served.max_input_tokens)
    for document in documents:
        text = document.extracted.text
        chunks = [
            ChunkInput(
                ordinal=ordinal,
                text=text[chunk.start : chunk.end],
                start=chunk.start,
                end=chunk.end,
                page=chunk.page,
                heading_path=list(chunk.heading_path),
                header=chunk.header,
            )
            for ordinal, chunk in enumerate(cutter.cut(document.extracted, document.title))
        ]
        if chunks:
            facts = DocumentFacts(title=document.title, source=document.id, media_type="text/plain")
            yield CutDocument(document.id, facts, chunks)


def texts_of(documents: Iterable[CutDocument]) -> Iterator[str]:
    """What is embedded."""
    return (embedded_text(chunk) for document in documents for chunk in document.chunks)


@asynccontextmanager
async def open_retriever(engines: Engines) -> AsyncIterator[BenchRetriever]:
    """An empty retriever, removed afterwards. `RETRIEVER_*` settings apply."""
    with _scratch() as folder:
        settings = RetrieverSettings(data_dir=folder)
        store = await open_store(settings)
        database = Database.open(settings.database_url, folder, "retriever")
        try:
            await migrate(database, MIGRATIONS)
            await prepare(store)
            parts = assemble(settings, database, store, engines.embedder, engines.reranker)
            yield BenchRetriever(parts, engines.embedder)
        finally:
            await database.close()
            await store.close()


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder in memory where there is plenty: how fast a disk flushes is not what is measured here."""
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > ROOMY
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-", dir=_MEMORY if in_memory else None) as name:
        yield Path(name)
