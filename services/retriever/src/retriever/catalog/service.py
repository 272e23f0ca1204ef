"""Collections are made and removed so that a process may die between any two steps and the call be repeated."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from contracts.retrieval.collections import Collection, CollectionCreate
from retriever.catalog.collections import CollectionRecord, CollectionRepository, physical_name
from retriever.catalog.generations import GenerationRepository
from retriever.catalog.revisions import DocumentState, RevisionRepository
from retriever.errors import CollectionExists, GenerationMissing, VectorStoreUnavailable
from retriever.models.protocol import Embedder
from retriever.stores import filters
from retriever.stores.points import RevisionKey
from retriever.stores.protocol import VectorStore
from retriever.stores.readiness import READINESS
from retriever.text.languages import check_language
from servicekit.backup.lock import BackupLock
from servicekit.core.identifiers import new_id

log = structlog.get_logger(__name__)
CLEANUP_BATCH = 500


@dataclass(frozen=True, slots=True)
class CollectionService:
    """Makes and removes collections, and ends at start what an earlier process left half done."""

    repository: CollectionRepository
    revisions: RevisionRepository
    generations: GenerationRepository
    store: VectorStore
    embedder: Embedder
    backup_lock: BackupLock

    async def create_collection(self, tenant: str, wanted: CollectionCreate, token: str) -> Collection:
        """A new collection bound to a concrete model; raises `CollectionExists`, `EmbeddingModelUnknown` or
        `LanguageUnknown`.

        The vectors' place is made first: dying before the catalog knows it leaves an empty place and no collection.
        """
        check_language(wanted.language)
        for unfinished in await self.repository.list_deletions(tenant, wanted.name):
            await self._finish_deletion(unfinished)
        model = await self.embedder.get_model(wanted.embedding_model, token)
        collection_id = new_id("col")
        vectors = physical_name(collection_id, 1)
        await self.store.create_generation(vectors, model.dimensions, wanted.vectors)
        try:
            await self.repository.create_collection(collection_id, tenant, wanted, model)
        except CollectionExists:
            await self.store.delete_generation(vectors)
            raise
        log.info("collection created", collection=wanted.name, embedding_model=model.name)
        return (
            await self.repository.describe_collections([await self.repository.get_collection(tenant, wanted.name)])
        )[0]

    async def describe_collection(self, record: CollectionRecord) -> Collection:
        """A collection as the API shows it, with how far its vectors are indexed, if the vector store can tell."""
        collection = (await self.repository.describe_collections([record]))[0]
        try:
            status = await self.store.get_index_status(record.vectors)
        except (GenerationMissing, VectorStoreUnavailable):
            return collection
        progress = {"points": status.points, "indexed_points": status.indexed_points, "indexing": status.building}
        return collection.model_copy(update={"index": collection.index.model_copy(update=progress)})

    async def delete_collection(self, tenant: str, name: str) -> None:
        """Remove a collection with everything in it; does nothing if there is none.

        It is gone for every caller at once, then its vectors go, then its rows; a repeated call goes on from there.
        While a backup is read, the end of that does the rest.
        """
        collection_id = await self.repository.begin_deletion(tenant, name)
        if collection_id is not None and not await self.backup_lock.is_held():
            await self._finish_deletion(collection_id)
            log.info("collection deleted", collection=name)

    async def delete_tenant(self, tenant: str) -> None:
        """Remove all collections of a tenant, also those whose deletion was begun and left."""
        for name in await self.repository.list_names(tenant):
            await self.delete_collection(tenant, name)

    async def cleanup(self, *, owns_store: bool) -> None:
        """End deletions that were begun, remove points that nobody may see and generations that nobody reads.

        With `owns_store`, places of vectors that the catalog doesn't name are removed, too. While a backup is read
        nothing is.
        """
        if await self.backup_lock.is_held():
            return
        for collection_id in await self.repository.list_deletions():
            await self._finish_deletion(collection_id)
        for retired in await self.generations.list_retired():
            await self.store.delete_generation(retired.vectors)
            await self.generations.mark_deleted(retired)
        while batch := await self.revisions.list_cleanups(CLEANUP_BATCH):
            for key, state in batch:
                await self._cleanup_document(key, state)
        if owns_store:
            known = {READINESS, *await self.repository.list_physical_names()}
            for name in await self.store.list_generations():
                if name not in known:
                    await self.store.delete_generation(name)

    async def _cleanup_document(self, key: RevisionKey, state: DocumentState) -> None:
        hidden = filters.document(key.document_id, up_to=key.revision)
        if state.active == key.revision:
            hidden = filters.document(key.document_id, below=key.revision)
        for vectors in await self.repository.list_physical_names(key.collection_id):
            try:
                await self.store.delete_points(vectors, hidden)
            except GenerationMissing:
                log.error("vectors missing", generation=vectors)
        await self.revisions.mark_clean(key)

    async def _finish_deletion(self, collection_id: str) -> None:
        for vectors in await self.repository.list_physical_names(collection_id):
            await self.store.delete_generation(vectors)
        await self.repository.delete_collection(collection_id)
