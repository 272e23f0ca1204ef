"""Indexing by difference: a chunk whose words are known keeps its vector, the others are embedded.

The vector store is written first, then the catalog; what the catalog doesn't name is never shown. So a process
that dies between the two leaves only hidden points, and repeating the call ends in the same state.

While a shadow generation is built, what comes is written into both. A write counts only once all generations that are
live at that moment have it; where the shadow can't take it, the document is copied there later instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from contracts.core.pages import Page
from contracts.documents.documents import DocumentChunk
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch, ChunkEmbeddings, ChunkInput, CommitRequest, Committed
from retriever.catalog.collections import CollectionRecord, CollectionRepository
from retriever.catalog.generations import CollectionGone, Generation, GenerationRepository, LiveGenerations
from retriever.catalog.revisions import GenerationChanged, RevisionRepository
from retriever.errors import (
    ChunksMissing,
    CollectionNotFound,
    DocumentNotFound,
    GenerationMissing,
    StaleRevision,
    VectorStoreUnavailable,
)
from retriever.indexing.chunk_vectors import BatchVectors, ChunkVectors, to_points
from retriever.metrics import CHUNKS_DELETED, CHUNKS_INDEXED, INDEX_SECONDS, SHADOW_MISSES
from retriever.models.vector_codec import encode_embedding
from retriever.stages import Stages
from retriever.stores import filters
from retriever.stores.points import RevisionKey, content_hash, make_chunk
from retriever.stores.protocol import VectorStore
from servicekit.backup.lock import BackupLock
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.errors import ServiceError
from servicekit.telemetry.spans import span

log = structlog.get_logger(__name__)
ROUNDS = 5
"""How often a call looks again because generations came or went meanwhile."""
SHADOW_SECONDS = 30.0
"""How long a batch may wait for the shadow; then its document is copied there later."""


@dataclass
class BatchWrite:
    """A batch on its way: which generations have it, and which are to do without."""

    key: RevisionKey
    body: ChunkBatch
    token: str
    hashes: Mapping[str, ChunkInput]
    stages: Stages = field(default_factory=lambda: Stages(INDEX_SECONDS))
    vectors: BatchVectors = field(default_factory=BatchVectors)
    embedded: int = 0
    written: set[int] = field(default_factory=set)
    missed: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class IndexingService:
    """Writes documents' chunks and takes them away."""

    collections: CollectionRepository
    revisions: RevisionRepository
    generations: GenerationRepository
    store: VectorStore
    vectors: ChunkVectors
    backup_lock: BackupLock

    async def write_chunks(
        self, record: CollectionRecord, key: RevisionKey, batch: ChunkBatch, token: str, layout: int | None = None
    ) -> BatchIndexed:
        """Write a batch of a revision's chunks. The same batch again changes nothing.

        `layout` says for which one the chunks were cut, by default the active generation's. Raises `StaleRevision` or
        `LayoutGone`.
        """
        filters.tags(key.document_id, batch.document, None)  # unusable metadata is refused before anything is written
        write = BatchWrite(key, batch, token, {content_hash(chunk): chunk for chunk in batch.chunks})
        async with self._translate_errors(record):
            await self.revisions.create_pending(key, batch.document)
            await self._write_to_all(write, layout)
        CHUNKS_INDEXED.labels("embedded").inc(write.embedded)
        CHUNKS_INDEXED.labels("reused").inc(len(batch.chunks) - write.embedded)
        reused = len(batch.chunks) - write.embedded
        return BatchIndexed(embedded=write.embedded, reused=reused, embedding_tokens=write.vectors.tokens)

    async def write_and_commit(
        self,
        record: CollectionRecord,
        key: RevisionKey,
        batch: ChunkBatch,
        token: str,
        chunks: int,
        layout: int | None = None,
    ) -> BatchIndexed:
        """`write_chunks` of a revision's last batch, then `commit_revision` of all its `chunks`: one call, not two.

        A revision that is active with so many chunks is committed already, and answered so. Where only the commit
        fails, the answer is the batch's alone: committing again says why.
        """
        whole = CommitRequest(document=batch.document, chunks=chunks)
        state = await self.revisions.get_state(key.collection_id, key.document_id)
        if state is not None and state.active == key.revision and state.chunks == chunks:
            committed = await self.commit_revision(record, key, whole, layout)
            return BatchIndexed(embedded=0, reused=len(batch.chunks), committed=committed)
        indexed = await self.write_chunks(record, key, batch, token, layout)
        try:
            return indexed.model_copy(update={"committed": await self.commit_revision(record, key, whole, layout)})
        except ServiceError as error:  # the batch is written all the same
            log.warning("batch written, revision not committed", document_id=key.document_id, error=str(error)[:300])
            return indexed

    async def commit_revision(
        self, record: CollectionRecord, key: RevisionKey, wanted: CommitRequest, layout: int | None = None
    ) -> Committed:
        """Make a whole revision visible and drop earlier ones; raises `StaleRevision`, `ChunksMissing`, `LayoutGone`.

        Committing the active revision again is answered as the first time.
        """
        async with self._translate_errors(record):
            revision = await self._commit(key, wanted, layout)
            stale = await self._cleanup(key, filters.document(key.document_id, below=key.revision))
        CHUNKS_DELETED.labels("stale").inc(stale)
        log.info("document indexed", document_id=key.document_id, revision=key.revision, chunks=wanted.chunks)
        return Committed(chunks=wanted.chunks, stale_deleted=stale, collection_revision=revision)

    async def delete_document(self, record: CollectionRecord, key: RevisionKey) -> None:
        """Remove a document's revisions up to the key's; they are gone from search on return and can't come back."""
        async with self._translate_errors(record):
            await self.revisions.delete_revisions(key)
            gone = await self._cleanup(key, filters.document(key.document_id, up_to=key.revision))
        CHUNKS_DELETED.labels("deleted").inc(gone)
        log.info("document deleted", document_id=key.document_id, revision=key.revision, chunks=gone)

    async def get_newest_revision(self, record: CollectionRecord, document_id: str) -> int:
        """The highest revision that was ever heard of; 0 for an unknown document."""
        state = await self.revisions.get_state(record.id, document_id)
        return 0 if state is None else max(state.active or 0, state.pending or 0, state.fence)

    async def list_chunks(
        self, record: CollectionRecord, document_id: str, limit: int, cursor: str | None
    ) -> Page[DocumentChunk]:
        """A page of the active revision's chunks by ordinal; raises `DocumentNotFound`.

        A cursor holds its revision and layout: a page of one that was replaced meanwhile is empty, never another's.
        """
        async with self._translate_errors(record):
            for _ in range(ROUNDS):
                active = (await self.generations.get_live(record.id)).active
                state = await self.revisions.get_state(record.id, document_id)
                if state is None or state.active is None:
                    raise DocumentNotFound(document_id)
                at = decode_cursor(cursor, int, int, int) if cursor else (state.active, active.layout, 0)
                revision, layout, first = (int(each) for each in at)
                same = (revision, layout) == (state.active, active.layout)
                last = min(first + limit, state.chunks) if same else first
                ids = [RevisionKey(record.id, document_id, revision).chunk_id(each) for each in range(first, last)]
                try:
                    found = await self.store.get_points(active.vectors, ids)
                except GenerationMissing:
                    await self._check_replaced(active)
                    continue
                return Page[DocumentChunk](
                    data=[make_chunk(found[each]) for each in ids if each in found],
                    next_cursor=encode_cursor(revision, layout, last) if first < last < state.chunks else None,
                )
        raise VectorStoreUnavailable

    async def list_embeddings(
        self, record: CollectionRecord, key: RevisionKey, first: int, limit: int
    ) -> ChunkEmbeddings:
        """Encoded embeddings of the active revision's chunks from `first` on; raises `DocumentNotFound` for another."""
        async with self._translate_errors(record):
            active = (await self.generations.get_live(record.id)).active
            state = await self.revisions.get_state(record.id, key.document_id)
            if state is None or state.active != key.revision:
                raise DocumentNotFound(key.document_id)
            ids = [key.chunk_id(ordinal) for ordinal in range(first, min(first + limit, state.chunks))]
            try:
                vectors = await self.store.get_vectors(active.vectors, ids)
            except GenerationMissing:
                await self._check_replaced(active)
                vectors = {}
        if len(vectors) < len(ids):  # replaced or deleted meanwhile
            raise DocumentNotFound(key.document_id)
        encoded = [encode_embedding(active.embedding_model, vectors[each]) for each in ids]
        return ChunkEmbeddings(revision=key.revision, first=first, embeddings=encoded)

    async def _write_to_all(self, write: BatchWrite, layout: int | None) -> None:
        """Write a batch into every live generation of its layout, then let it count."""
        for _ in range(ROUNDS):
            live = await self.generations.get_live(write.key.collection_id)
            layout = live.active.layout if layout is None else layout
            for target in live.of_layout(layout):
                is_missed = target.number in write.missed and target == live.shadow
                if target.number not in write.written and not is_missed:
                    await self._write_to(target, write, is_shadow=target == live.shadow)
            try:
                if not await self.revisions.record_batch(write.key, layout, write.written, write.missed):
                    return
            except StaleRevision:
                await self._delete_batch(write)
                raise
        raise VectorStoreUnavailable

    async def _write_to(self, target: Generation, write: BatchWrite, *, is_shadow: bool) -> None:
        try:
            if is_shadow:
                async with asyncio.timeout(SHADOW_SECONDS):
                    await self._write(target, write)
            else:
                before = write.vectors.embedded
                await self._write(target, write)
                write.embedded = write.vectors.embedded - before
        except GenerationMissing:
            await self._check_replaced(target)
        except (ServiceError, TimeoutError) as error:
            if not is_shadow:
                raise
            SHADOW_MISSES.inc()
            log.warning("shadow misses a batch", document_id=write.key.document_id, error=repr(error)[:300])
            write.missed.add(target.number)

    async def _write(self, target: Generation, write: BatchWrite) -> None:
        await self.vectors.find(target, write.key.document_id, write.hashes, write.vectors, write.stages)
        self.vectors.take(target, write.hashes, write.vectors)
        await self.vectors.make(target, write.hashes, write.vectors, write.stages, write.token)
        with span("write"), write.stages.timed("write"):
            chunks = [(write.body.document, chunk) for chunk in write.body.chunks]
            await self.store.upsert_points(target.vectors, await to_points(target, write.key, chunks, write.vectors))
        write.written.add(target.number)

    async def _delete_batch(self, write: BatchWrite) -> None:
        """A batch that was overtaken while it was embedded takes back what it wrote."""
        key = write.key
        state = await self.revisions.get_state(key.collection_id, key.document_id)
        if state is not None and state.active == key.revision:
            await self._delete(key, filters.revision(key.document_id, key.revision, from_ordinal=state.chunks))
        else:
            await self._delete(key, filters.revision(key.document_id, key.revision))

    async def _commit(self, key: RevisionKey, wanted: CommitRequest, layout: int | None) -> int:
        """The collection's revision since this one of the document is visible."""
        for _ in range(ROUNDS):
            live = await self.generations.get_live(key.collection_id)
            state = await self.revisions.get_state(key.collection_id, key.document_id)
            recut = live.active.layout != (layout or live.active.layout)
            if state is not None and state.active == key.revision and (recut or state.chunks == wanted.chunks):
                return (await self.revisions.get_view(key.collection_id, ())).collection_revision
            if state is not None and state.fence >= key.revision:
                raise StaleRevision(key.document_id, key.revision, state.fence)
            targets = live.of_layout(layout or live.active.layout)
            try:
                found = await self._count_exact(live.active, key, wanted.chunks)
            except GenerationMissing:
                await self._check_replaced(live.active)
                continue
            if found != wanted.chunks:
                raise ChunksMissing(key.document_id, key.revision, wanted.chunks, found)
            whole = live.shadow in targets and await self._shadow_is_whole(live.shadow, key, wanted.chunks)
            try:
                return await self.revisions.commit_revision(key, wanted.document, wanted.chunks, live, whole=whole)
            except GenerationChanged:
                continue
        raise VectorStoreUnavailable

    async def _shadow_is_whole(self, shadow: Generation | None, key: RevisionKey, chunks: int) -> bool:
        try:
            return shadow is not None and await self._count_exact(shadow, key, chunks) == chunks
        except ServiceError as error:
            log.warning("shadow can't be counted", document_id=key.document_id, error=repr(error)[:300])
            return False

    async def _count_exact(self, generation: Generation, key: RevisionKey, chunks: int) -> int:
        """How many of the ordinals below `chunks` are there; higher ones, of an attempt that cut otherwise, go."""
        higher = filters.revision(key.document_id, key.revision, from_ordinal=chunks)
        await self.store.delete_points(generation.vectors, higher)
        return await self.store.count_points(generation.vectors, filters.revision(key.document_id, key.revision))

    async def _cleanup(self, key: RevisionKey, hidden: filters.Where) -> int:
        """Remove what nobody may see any more; while a backup is read it stays marked as to be cleaned."""
        if await self.backup_lock.is_held():
            return 0
        gone = await self._delete(key, hidden)
        await self.revisions.mark_clean(key)
        return gone

    async def _delete(self, key: RevisionKey, where: filters.Where) -> int:
        """Remove points from all live generations; how many the active one had."""
        live: LiveGenerations = await self.generations.get_live(key.collection_id)
        gone = 0
        for generation in live.all:
            try:
                count = await self.store.delete_points(generation.vectors, where)
            except GenerationMissing:
                await self._check_replaced(generation)
                continue
            gone = count if generation == live.active else gone
        return gone

    async def _check_replaced(self, generation: Generation) -> None:
        """Raise `GenerationMissing` if vectors are missing that should be there."""
        live = await self.generations.get_live(generation.collection_id)
        if generation.number in {each.number for each in live.all}:
            raise GenerationMissing

    @asynccontextmanager
    async def _translate_errors(self, record: CollectionRecord) -> AsyncIterator[None]:
        """A collection that is deleted meanwhile is not found; vectors that are missing otherwise are our failure."""
        try:
            yield
        except CollectionGone:
            raise CollectionNotFound(record.name) from None
        except GenerationMissing:
            await self.collections.get_collection(record.tenant, record.name)
            raise
