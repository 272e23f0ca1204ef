"""Reindexing: a shadow generation is filled beside the active one, step by step, then put in its place.

Each step is small, may be repeated, and leaves what it achieved in SQL and the vector store; whoever drives them may
die anywhere. With the same chunks, they are copied from the active generation and embedded anew where the model is
another one. With other chunks, they are sent here for the shadow, document by document.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError

from contracts.retrieval.chunks import BatchIndexed, ChunkBatch, CommitRequest
from contracts.retrieval.collections import VectorOptions
from contracts.retrieval.reindex import DocumentRevision, ReindexRequest, Shadow, ShadowPlan
from retriever.catalog.collections import CollectionRecord, CollectionRepository, physical_name
from retriever.catalog.generations import BUILDING, DROPPED, CollectionGone, Generation, GenerationRepository
from retriever.catalog.revisions import RevisionRepository
from retriever.errors import (
    ChunksMissing,
    CollectionNotFound,
    CollectionUnbound,
    GenerationMissing,
    NothingToChange,
    ShadowGone,
    StaleRevision,
)
from retriever.indexing.chunk_vectors import BatchVectors, ChunkVectors, to_points
from retriever.metrics import CHUNKS_COPIED, INDEX_SECONDS
from retriever.models.protocol import Embedder, EmbeddingModel
from retriever.reindex.copies import ShadowCopier, Step
from retriever.stages import Stages
from retriever.stores import filters
from retriever.stores.points import RevisionKey, content_hash
from retriever.stores.protocol import VectorStore
from retriever.text.languages import check_language
from servicekit.backup.lock import BackupLock
from servicekit.core.identifiers import new_id

log = structlog.get_logger(__name__)
DOCUMENTS_A_STEP = 16
"""Documents that a step asks for at most."""
BEGIN_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ReindexService:
    """Plans, begins, fills, flips and abandons shadows."""

    collections: CollectionRepository
    revisions: RevisionRepository
    generations: GenerationRepository
    store: VectorStore
    embedder: Embedder
    vectors: ChunkVectors
    copier: ShadowCopier
    backup_lock: BackupLock

    async def plan_shadow(self, record: CollectionRecord, wanted: ReindexRequest, token: str) -> ShadowPlan:
        """What a reindex would make; raises `EmbeddingModelUnknown`, `NothingToChange` or `CollectionUnbound`."""
        if record.is_unbound:
            raise CollectionUnbound(record.name)
        async with _translate_gone(record):
            active = (await self.generations.get_live(record.id)).active
            shadow = await self._target(active, wanted, token)
            if _layout_of(shadow) == _layout_of(active):
                raise NothingToChange(record.name)
            return ShadowPlan(embedding_model=shadow.embedding_model, recut=_recut(active, shadow))

    async def create_shadow(self, record: CollectionRecord, key: str, wanted: ReindexRequest, token: str) -> Shadow:
        """The shadow of this key, which takes the place of any other. One that was abandoned is `gone` for good.

        Its place in the vector store is made first: dying before the catalog knows it leaves an empty place.
        """
        if record.is_unbound:
            raise CollectionUnbound(record.name)
        async with _translate_gone(record):
            for _ in range(BEGIN_ATTEMPTS):
                found = await self.generations.get_by_key(record.id, key)
                if found is not None:
                    return await self._describe(found)
                active = (await self.generations.get_live(record.id)).active
                shadow = await self._new_shadow(active, key, wanted, token)
                options = VectorOptions.model_validate(shadow.vector_options)
                await self.store.create_generation(shadow.vectors, shadow.dimensions, options)
                try:
                    await self.generations.create_shadow(shadow)
                except (IntegrityError, CollectionGone) as error:
                    await self.store.delete_generation(shadow.vectors)
                    if isinstance(error, CollectionGone):
                        raise
                    continue
                await self._delete_retired(record.id)
                log.info("shadow begun", collection=record.name, generation=shadow.number, model=shadow.embedding_model)
                return await self._describe(shadow)
            raise ShadowGone(await self.generations.get_highest_number(record.id))

    async def copy_chunks(self, record: CollectionRecord, number: int, token: str) -> Shadow:
        """Bring the next chunks over, a bounded number, or say which documents' chunks are waited for."""
        async with _translate_gone(record):
            shadow = await self._get_generation(record, number)
            live = await self.generations.get_live(record.id)
            if live.shadow is None or live.shadow.number != number:
                return await self._describe(shadow)
            if live.recut:
                found = await self.generations.list_documents_to_copy(live.active, shadow, DOCUMENTS_A_STEP)
                wanted = [
                    DocumentRevision(document_id=each.document_id, revision=each.active)
                    for each in found
                    if each.active is not None
                ]
                return await self._describe(shadow, wanted=wanted)
            try:
                step = await self.copier.copy_step(live.active, shadow, token)
            except GenerationMissing:
                if (await self._get_generation(record, number)).state == BUILDING:
                    raise
                step = Step()
            return await self._describe(await self._get_generation(record, number), step)

    async def stage_chunks(
        self, record: CollectionRecord, number: int, key: RevisionKey, batch: ChunkBatch, token: str
    ) -> BatchIndexed:
        """Write chunks of a revision that were cut for a shadow; raises `ShadowGone` or `StaleRevision`."""
        stages, vectors = Stages(INDEX_SECONDS), BatchVectors()
        hashes = {content_hash(chunk): chunk for chunk in batch.chunks}
        async with _translate_gone(record), self._staging(record, number, key) as (active, shadow):
            await self.vectors.find(shadow, key.document_id, hashes, vectors, stages)
            if _model(active) == _model(shadow):
                await self.vectors.find(active, key.document_id, _without(hashes, vectors, shadow), vectors, stages)
            await self.vectors.make(shadow, hashes, vectors, stages, token)
            chunks = [(batch.document, chunk) for chunk in batch.chunks]
            await self.store.upsert_points(shadow.vectors, await to_points(shadow, key, chunks, vectors))
        reused = len(batch.chunks) - vectors.embedded
        CHUNKS_COPIED.labels("embedded").inc(vectors.embedded)
        CHUNKS_COPIED.labels("reused").inc(reused)
        return BatchIndexed(embedded=vectors.embedded, reused=reused, embedding_tokens=vectors.tokens)

    async def commit_staged(
        self, record: CollectionRecord, number: int, key: RevisionKey, wanted: CommitRequest
    ) -> None:
        """Note that a revision is wholly in a shadow; raises `ChunksMissing`, `ShadowGone` or `StaleRevision`."""
        async with _translate_gone(record), self._staging(record, number, key) as (_, shadow):
            higher = filters.revision(key.document_id, key.revision, from_ordinal=wanted.chunks)
            await self.store.delete_points(shadow.vectors, higher)
            found = await self.store.count_points(shadow.vectors, filters.revision(key.document_id, key.revision))
            if found != wanted.chunks:
                raise ChunksMissing(key.document_id, key.revision, wanted.chunks, found)
            if not await self.revisions.mark_staged(key, shadow, wanted.chunks):
                await self._get_generation(record, number, building=True)
                raise StaleRevision(key.document_id, key.revision, key.revision)

    async def flip_shadow(self, record: CollectionRecord, number: int) -> Shadow:
        """Let the shadow serve if nothing is missing in it; then the old generation's vectors go.

        Searches that still read those begin anew on the new generation.
        """
        async with _translate_gone(record):
            shadow = await self._get_generation(record, number)
            live = await self.generations.get_live(record.id)
            building = live.shadow is not None and live.shadow.number == number
            if building and await self.generations.flip(live.active, shadow):
                log.info("generation flipped", collection=record.name, generation=number)
            await self._delete_retired(record.id)
            return await self._describe(await self._get_generation(record, shadow.number))

    async def delete_shadow(self, record: CollectionRecord, key: str) -> None:
        """End a shadow and remove it; the active generation is untouched. It can't begin (again) later."""
        async with _translate_gone(record):
            active = (await self.generations.get_live(record.id)).active
            for _ in range(BEGIN_ATTEMPTS):
                try:
                    await self.generations.delete_shadow(record.id, key, await self._tombstone(active, key))
                except IntegrityError:  # another took the number
                    continue
                break
            await self._delete_retired(record.id)

    async def _delete_retired(self, collection_id: str) -> None:
        if await self.backup_lock.is_held():
            return  # a backup reads; its end does it
        for generation in await self.generations.list_retired(collection_id):
            await self.store.delete_generation(generation.vectors)
            await self.generations.mark_deleted(generation)

    async def _target(self, active: Generation, wanted: ReindexRequest, token: str) -> Generation:
        """The active generation as it is to become."""
        changed: dict[str, Any] = {}
        if wanted.embedding_model is not None:
            model: EmbeddingModel = await self.embedder.get_model(wanted.embedding_model, token)
            changed = {"embedding_model": model.name, "dimensions": model.dimensions}
            changed["max_input_tokens"] = model.max_input_tokens
        if wanted.chunking is not None:
            changed["chunking"] = wanted.chunking.model_dump(mode="json")
        if wanted.language is not None:
            check_language(wanted.language)
            changed["language"] = wanted.language
        if wanted.vectors is not None:
            changed["vector_options"] = wanted.vectors.model_dump(mode="json")
        return replace(active, **changed)

    async def _new_shadow(self, active: Generation, key: str, wanted: ReindexRequest, token: str) -> Generation:
        shadow = await self._target(active, wanted, token)
        number = await self.generations.get_highest_number(active.collection_id) + 1
        return replace(
            shadow,
            number=number,
            vectors=f"{physical_name(active.collection_id, number)}-{new_id('g')[-8:]}",
            key=key,
            state=BUILDING,
            layout=number if _recut(active, shadow) else active.layout,
        )

    async def _tombstone(self, active: Generation, key: str) -> Generation:
        number = await self.generations.get_highest_number(active.collection_id) + 1
        name = f"{physical_name(active.collection_id, number)}-never"
        return replace(active, number=number, vectors=name, key=key, state=DROPPED)

    async def _get_generation(self, record: CollectionRecord, number: int, *, building: bool = False) -> Generation:
        found = await self.generations.get_by_number(record.id, number)
        if found is None or (building and found.state != BUILDING):
            raise ShadowGone(number)
        return found

    async def _describe(
        self, shadow: Generation, step: Step | None = None, wanted: list[DocumentRevision] | None = None
    ) -> Shadow:
        active = (await self.generations.get_live(shadow.collection_id)).active
        if shadow.state != BUILDING:
            state, progress, left = ("active", 1.0, 0) if shadow.number == active.number else ("gone", 0.0, 0)
        else:
            missing = await self.generations.get_remainder(active, shadow)
            whole = max(missing.total_chunks, missing.chunks)
            state, left = "building", missing.documents
            progress = 1 - missing.chunks / whole if whole else float(left == 0)
        copied, tokens = (0, 0) if step is None else (step.copied, step.tokens)
        return Shadow(
            generation=shadow.number,
            state=state,
            recut=shadow.layout != active.layout,
            progress=round(progress, 4),
            left=left,
            wanted=wanted or [],
            copied=copied,
            embedding_tokens=tokens,
        )

    @asynccontextmanager
    async def _staging(
        self, record: CollectionRecord, number: int, key: RevisionKey
    ) -> AsyncIterator[tuple[Generation, Generation]]:
        """Allow writing into a shadow; what was overtaken by a commit or deletion meanwhile is taken back."""
        shadow = await self._get_generation(record, number, building=True)
        active = (await self.generations.get_live(record.id)).active
        await self._check_stageable(key)
        try:
            yield active, shadow
            await self._check_stageable(key)
        except StaleRevision:
            await self.store.delete_points(shadow.vectors, filters.revision(key.document_id, key.revision))
            raise
        except GenerationMissing:
            await self._get_generation(record, number, building=True)
            raise

    async def _check_stageable(self, key: RevisionKey) -> None:
        if not await self.revisions.may_stage(key):
            state = await self.revisions.get_state(key.collection_id, key.document_id)
            raise StaleRevision(key.document_id, key.revision, key.revision if state is None else state.fence)


def _recut(active: Generation, shadow: Generation) -> bool:
    """Other chunking, or a model that can't read the chunks as they are."""
    return shadow.chunking != active.chunking or shadow.max_input_tokens < active.max_input_tokens


def _model(generation: Generation) -> tuple[str, int]:
    return generation.embedding_model, generation.dimensions


def _layout_of(generation: Generation) -> tuple[object, ...]:
    """What a reindex can change."""
    model = (*_model(generation), generation.max_input_tokens)
    return (*model, generation.chunking, generation.language, generation.vector_options)


def _without(hashes: Mapping[str, Any], vectors: BatchVectors, generation: Generation) -> dict[str, Any]:
    known = vectors.of(generation)
    return {each: chunk for each, chunk in hashes.items() if each not in known}


@asynccontextmanager
async def _translate_gone(record: CollectionRecord) -> AsyncIterator[None]:
    """A collection that is deleted meanwhile is not found."""
    try:
        yield
    except CollectionGone:
        raise CollectionNotFound(record.name) from None
