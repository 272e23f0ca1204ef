"""Copying documents from the active generation into a shadow with the same chunks, in bounded steps.

A document that changes or goes while it is copied is never brought back: what was written is looked at again under the
document's fence, and taken back if that revision may no longer be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retriever.catalog.generations import DocumentToCopy, Generation, GenerationRepository
from retriever.catalog.revisions import RevisionRepository
from retriever.errors import EmbeddingModelUnknown
from retriever.indexing.chunk_vectors import BatchVectors, ChunkVectors, to_points
from retriever.metrics import CHUNKS_COPIED, INDEX_SECONDS
from retriever.stages import Stages
from retriever.stores import filters
from retriever.stores.points import RevisionKey, StoredPoint, content_hash, facts_and_chunk
from retriever.stores.protocol import VectorStore

PAGE = 64
"""Chunks that are read, embedded and written at once."""
STEP = 256
"""Chunks that one step brings over; some seconds of embedding on two cores."""
STEP_DOCUMENTS = 64
REPEATS = 3


@dataclass
class Step:
    """What one step has done."""

    copied: int = 0
    tokens: int = 0
    shares: bool = False
    """Whether passages have the same vectors in both generations."""


@dataclass(frozen=True, slots=True)
class ShadowCopier:
    """Brings chunks of documents over."""

    revisions: RevisionRepository
    generations: GenerationRepository
    store: VectorStore
    vectors: ChunkVectors

    async def copy_step(self, active: Generation, shadow: Generation, token: str) -> Step:
        """Copy the next documents, or a part of a long one; raises what inference or the vector store raised."""
        step = Step(shares=await self._share(active, shadow, token))
        for document in await self.generations.list_documents_to_copy(active, shadow, STEP_DOCUMENTS):
            if await self._copy_document(active, shadow, document, step, token):
                visible = document.pending if document.active is None else document.active
                assert visible is not None
                key = RevisionKey(active.collection_id, document.document_id, visible)
                await self.revisions.mark_copied(key, shadow, document.misses)
            if step.copied >= STEP:
                break
        return step

    async def _copy_document(
        self, active: Generation, shadow: Generation, document: DocumentToCopy, step: Step, token: str
    ) -> bool:
        """Copy all of a document that may be seen now or later; whether it is whole."""
        committed, arriving = (
            None if revision is None else RevisionKey(active.collection_id, document.document_id, revision)
            for revision in (document.active, document.pending)
        )
        if committed is not None and not await self._copy_whole(
            active, shadow, committed, document.chunks, step, token
        ):
            return False
        return arriving is None or await self._copy_arriving(active, shadow, arriving, step, token)

    async def _copy_whole(
        self, active: Generation, shadow: Generation, key: RevisionKey, chunks: int, step: Step, token: str
    ) -> bool:
        """A committed revision, from where an earlier step left off."""
        cursor = await self.generations.get_cursor(shadow)
        first = cursor[2] if cursor is not None and cursor[:2] == (key.document_id, key.revision) else 0
        while first < chunks:
            if step.copied >= STEP:
                return False
            last = min(first + PAGE, chunks)
            await self._copy_page(active, shadow, key, range(first, last), step, token)
            if not await self._still_wanted(shadow, key):
                return False
            first = last
            await self.generations.update_cursor(shadow, (key.document_id, key.revision, first))
        higher = filters.revision(key.document_id, key.revision, from_ordinal=chunks)
        await self.store.delete_points(shadow.vectors, higher)
        await self.generations.update_cursor(shadow, None)
        return await self.store.count_points(shadow.vectors, filters.revision(key.document_id, key.revision)) == chunks

    async def _copy_arriving(
        self, active: Generation, shadow: Generation, key: RevisionKey, step: Step, token: str
    ) -> bool:
        """A revision of which some chunks came before the shadow began; later ones are sent to both.

        How many there will be nobody knows, and batches can come in any order: read on until all that are here were
        found. At its commit they are counted.
        """
        here = await self.store.count_points(active.vectors, filters.revision(key.document_id, key.revision))
        found = first = 0
        while found < here and first < here + STEP:
            found += await self._copy_page(active, shadow, key, range(first, first + PAGE), step, token)
            if not await self._still_wanted(shadow, key):
                return False
            first += PAGE
        return found >= here

    async def _copy_page(
        self, active: Generation, shadow: Generation, key: RevisionKey, ordinals: range, step: Step, token: str
    ) -> int:
        """Copy those of these ordinals that the active generation has; how many it has.

        They are read again at the end: an attempt that cuts otherwise may have replaced some while they were embedded,
        in the active generation first.
        """
        ids = [key.chunk_id(ordinal) for ordinal in ordinals]
        found = await self.store.get_points(active.vectors, ids)
        for _ in range(REPEATS):
            there = await self.store.get_points(shadow.vectors, ids)
            missing = [each for name, each in found.items() if _hash(there.get(name)) != _hash(each)]
            if not missing:
                break
            await self._write(active, shadow, key, missing, step, token)
            found = await self.store.get_points(active.vectors, ids)
        return len(found)

    async def _write(
        self,
        active: Generation,
        shadow: Generation,
        key: RevisionKey,
        stored: Sequence[StoredPoint],
        step: Step,
        token: str,
    ) -> None:
        stages, vectors = Stages(INDEX_SECONDS), BatchVectors()
        chunks = [facts_and_chunk(each) for each in stored]
        hashes = {content_hash(chunk): chunk for _, chunk in chunks}
        source = active if step.shares else shadow
        await self.vectors.find(source, key.document_id, hashes, vectors, stages)
        if step.shares:
            vectors.share(active, shadow)
        await self.vectors.make(shadow, hashes, vectors, stages, token)
        await self.store.upsert_points(shadow.vectors, await to_points(shadow, key, chunks, vectors))
        step.copied += len(chunks)
        step.tokens += vectors.tokens
        CHUNKS_COPIED.labels("embedded").inc(vectors.embedded)
        CHUNKS_COPIED.labels("reused").inc(len(chunks) - vectors.embedded)

    async def _share(self, active: Generation, shadow: Generation, token: str) -> bool:
        """Of one model, or of models that move queries alone over one and the same."""
        if active.embedding_model == shadow.embedding_model or active.dimensions != shadow.dimensions:
            return active.dimensions == shadow.dimensions
        try:
            one, other = [
                await self.vectors.embedder.get_model(each.embedding_model, token) for each in (active, shadow)
            ]
        except EmbeddingModelUnknown:
            return False  # whoever embeds with it says so
        return one.passages == other.passages

    async def _still_wanted(self, shadow: Generation, key: RevisionKey) -> bool:
        """Whether the copied revision is still shown or may yet be; if it never will be again, its copy goes."""
        state = await self.revisions.get_state(key.collection_id, key.document_id)
        if state is not None and (state.active == key.revision or state.fence < key.revision):
            return True
        await self.store.delete_points(shadow.vectors, filters.revision(key.document_id, key.revision))
        return False


def _hash(stored: StoredPoint | None) -> str | None:
    return None if stored is None else str(stored.payload["hash"])
