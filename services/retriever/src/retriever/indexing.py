"""Indexing by difference: a chunk whose words are known keeps its vector, the others are embedded.

The vector store is written first, then the catalogue; what the catalogue doesn't name is never shown. So a process
that dies between the two leaves only hidden points, and repeating the call ends in the same state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from contracts.documents import DocumentChunk
from contracts.indexing import (
    BatchIndexed,
    ChunkBatch,
    ChunkEmbeddings,
    ChunkInput,
    CommitRequest,
    Committed,
    DocumentFacts,
)
from contracts.pages import Page
from retriever import filters
from retriever.catalogue import Catalogue, CollectionRecord
from retriever.errors import (
    ChunksMissing,
    CollectionNotFound,
    DocumentNotFound,
    EmbeddingMismatch,
    GenerationMissing,
    StaleRevision,
)
from retriever.metrics import CHUNKS_DELETED, CHUNKS_INDEXED, EMBEDDING_TOKENS, INDEX_SECONDS
from retriever.points import Point, RevisionKey, content_hash, embedded_text, make_chunk, make_point
from retriever.ports import Embedder, Embeddings, VectorStore
from retriever.revisions import CollectionGone, Revisions
from retriever.sealed import seal, unseal
from retriever.stages import Stages
from servicekit.pages import decode_cursor, encode_cursor

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Indexing:
    """Writes documents' chunks and takes them away."""

    catalogue: Catalogue
    revisions: Revisions
    store: VectorStore
    embedder: Embedder
    embedding_batch: int
    embedding_concurrency: int

    async def put(self, record: CollectionRecord, key: RevisionKey, batch: ChunkBatch, token: str) -> BatchIndexed:
        """Write a batch of a revision's chunks; raises `StaleRevision`. The same batch again changes nothing."""
        filters.tags(key.document_id, batch.document, None)  # unusable metadata is refused before anything is written
        stages = Stages(INDEX_SECONDS)
        async with self._still_there(record):
            await self.revisions.open(key, batch.document)
            hashes = {content_hash(chunk): chunk for chunk in batch.chunks}
            with stages.timed("reuse"):
                document = filters.document(key.document_id)
                known = await self.store.dense_by_hash(record.vectors, document, hashes.keys())
                known |= _given(record, {text: chunk for text, chunk in hashes.items() if text not in known})
            missing = [text for text in hashes if text not in known]
            with stages.timed("embed"):
                made = await self._embed(record, [embedded_text(hashes[text]) for text in missing], token)
            vectors = known | dict(zip(missing, made.vectors, strict=True))
            with stages.timed("write"):
                points = await asyncio.to_thread(_points, key, batch.document, batch.chunks, vectors)
                await self.store.upsert(record.vectors, points)
            await self._arrived(record, key)
        CHUNKS_INDEXED.labels("embedded").inc(len(missing))
        CHUNKS_INDEXED.labels("reused").inc(len(batch.chunks) - len(missing))
        return BatchIndexed(
            embedded=len(missing), reused=len(batch.chunks) - len(missing), embedding_tokens=made.tokens
        )

    async def commit(self, record: CollectionRecord, key: RevisionKey, wanted: CommitRequest) -> Committed:
        """Make a whole revision visible and drop earlier ones; raises `StaleRevision` or `ChunksMissing`.

        Committing the active revision again is answered as the first time.
        """
        async with self._still_there(record):
            state = await self.revisions.state(key.collection_id, key.document_id)
            if state is not None and state.active == key.revision and state.chunks == wanted.chunks:
                revision = (await self.revisions.view(key.collection_id, ())).collection_revision
            else:
                if state is not None and state.fence >= key.revision:
                    raise StaleRevision(key.document_id, key.revision, state.fence)
                await self._check_complete(record, key, wanted.chunks)
                revision = await self.revisions.commit(key, wanted.document, wanted.chunks)
            stale = await self.store.delete(record.vectors, filters.document(key.document_id, below=key.revision))
            await self.revisions.cleaned(key)
        CHUNKS_DELETED.labels("stale").inc(stale)
        log.info("document indexed", document_id=key.document_id, revision=key.revision, chunks=wanted.chunks)
        return Committed(chunks=wanted.chunks, stale_deleted=stale, collection_revision=revision)

    async def delete(self, record: CollectionRecord, key: RevisionKey) -> None:
        """Remove a document's revisions up to the key's; they are gone from search on return and can't come back."""
        async with self._still_there(record):
            await self.revisions.fence_off(key)
            gone = await self.store.delete(record.vectors, filters.document(key.document_id, up_to=key.revision))
            await self.revisions.cleaned(key)
        CHUNKS_DELETED.labels("deleted").inc(gone)
        log.info("document deleted", document_id=key.document_id, revision=key.revision, chunks=gone)

    async def newest_revision(self, record: CollectionRecord, document_id: str) -> int:
        """The highest revision that was ever heard of; 0 for an unknown document."""
        state = await self.revisions.state(record.id, document_id)
        return 0 if state is None else max(state.active or 0, state.pending or 0, state.fence)

    async def chunks(
        self, record: CollectionRecord, document_id: str, limit: int, cursor: str | None
    ) -> Page[DocumentChunk]:
        """A page of the active revision's chunks by ordinal; raises `DocumentNotFound`.

        A cursor holds its revision: a page of a revision that was replaced meanwhile is empty, never another's.
        """
        state = await self.revisions.state(record.id, document_id)
        if state is None or state.active is None:
            raise DocumentNotFound(document_id)
        active, first = decode_cursor(cursor, int, int) if cursor else (state.active, 0)
        assert isinstance(active, int)
        assert isinstance(first, int)
        last = min(first + limit, state.chunks) if active == state.active else first
        key = RevisionKey(record.id, document_id, active)
        async with self._still_there(record):
            ids = [key.chunk_id(ordinal) for ordinal in range(first, last)]
            found = await self.store.fetch(record.vectors, ids)
        return Page[DocumentChunk](
            data=[make_chunk(found[each]) for each in ids if each in found],
            next_cursor=encode_cursor(active, last) if first < last < state.chunks else None,
        )

    async def embeddings(self, record: CollectionRecord, key: RevisionKey, first: int, limit: int) -> ChunkEmbeddings:
        """Sealed embeddings of the active revision's chunks from `first` on; raises `DocumentNotFound` for another."""
        state = await self.revisions.state(record.id, key.document_id)
        if state is None or state.active != key.revision:
            raise DocumentNotFound(key.document_id)
        ids = [key.chunk_id(ordinal) for ordinal in range(first, min(first + limit, state.chunks))]
        async with self._still_there(record):
            vectors = await self.store.dense(record.vectors, ids)
        if len(vectors) < len(ids):  # replaced or deleted meanwhile
            raise DocumentNotFound(key.document_id)
        sealed = [seal(record.embedding_model, vectors[each]) for each in ids]
        return ChunkEmbeddings(revision=key.revision, first=first, embeddings=sealed)

    async def _embed(self, record: CollectionRecord, texts: Sequence[str], token: str) -> Embeddings:
        """Vectors of all texts, in calls of bounded size of which a bounded number is under way."""
        slots = asyncio.Semaphore(self.embedding_concurrency)

        async def one(part: Sequence[str]) -> Embeddings:
            async with slots:
                return await self.embedder.embed(record.embedding_model, part, "bulk", token)

        size = self.embedding_batch
        try:
            async with asyncio.TaskGroup() as group:
                calls = [group.create_task(one(texts[at : at + size])) for at in range(0, len(texts), size)]
        except BaseExceptionGroup as failures:  # the first failure has cancelled the other calls
            raise failures.exceptions[0] from None
        parts = [call.result() for call in calls]
        vectors = [vector for part in parts for vector in part.vectors]
        for vector in vectors:
            if len(vector) != record.dimensions:
                raise EmbeddingMismatch(record.embedding_model, record.dimensions, len(vector))
        tokens = sum(part.tokens for part in parts)
        EMBEDDING_TOKENS.labels("bulk").inc(tokens)
        return Embeddings(vectors, tokens)

    async def _arrived(self, record: CollectionRecord, key: RevisionKey) -> None:
        """A batch that was overtaken while it was embedded takes back what it wrote."""
        try:
            await self.revisions.arrived(key)
        except StaleRevision:
            state = await self.revisions.state(key.collection_id, key.document_id)
            if state is not None and state.active == key.revision:
                extra = filters.revision(key.document_id, key.revision, from_ordinal=state.chunks)
                await self.store.delete(record.vectors, extra)
            else:
                await self.store.delete(record.vectors, filters.revision(key.document_id, key.revision))
            raise

    async def _check_complete(self, record: CollectionRecord, key: RevisionKey, chunks: int) -> None:
        """Exactly the ordinals 0 to chunks - 1 must be there; higher ones are of an attempt that cut otherwise."""
        await self.store.delete(record.vectors, filters.revision(key.document_id, key.revision, from_ordinal=chunks))
        found = await self.store.count(record.vectors, filters.revision(key.document_id, key.revision))
        if found != chunks:
            raise ChunksMissing(key.document_id, key.revision, chunks, found)

    @asynccontextmanager
    async def _still_there(self, record: CollectionRecord) -> AsyncIterator[None]:
        """A collection that is deleted meanwhile is not found; vectors that are missing otherwise are our failure."""
        try:
            yield
        except CollectionGone:
            raise CollectionNotFound(record.name) from None
        except GenerationMissing:
            await self.catalogue.get(record.tenant, record.name)
            raise


def _given(record: CollectionRecord, chunks: Mapping[str, ChunkInput]) -> dict[str, list[float]]:
    """The vectors that chunks bring along and that this collection can use."""
    given = {
        text: unseal(chunk.embedding, record.embedding_model, record.dimensions)
        for text, chunk in chunks.items()
        if chunk.embedding is not None
    }
    return {text: vector for text, vector in given.items() if vector is not None}


def _points(
    key: RevisionKey, facts: DocumentFacts, chunks: Sequence[ChunkInput], vectors: dict[str, list[float]]
) -> list[Point]:
    return [make_point(key, facts, chunk, vectors[content_hash(chunk)]) for chunk in chunks]
