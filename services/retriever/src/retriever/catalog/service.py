"""Collections are made and removed so that a process may die between any two steps and the call be repeated."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from contracts.collections import Collection, CollectionCreate
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
from servicekit.backup.lock import Holds
from servicekit.core.identifiers import new_id

log = structlog.get_logger(__name__)
_SWEEP = 500


@dataclass(frozen=True, slots=True)
class CollectionService:
    """Makes and removes collections, and ends at start what an earlier process left half done."""

    catalogue: CollectionRepository
    revisions: RevisionRepository
    generations: GenerationRepository
    store: VectorStore
    embedder: Embedder
    held: Holds

    async def create(self, tenant: str, wanted: CollectionCreate, token: str) -> Collection:
        """A new collection bound to a concrete model; raises `CollectionExists`, `EmbeddingModelUnknown` or
        `LanguageUnknown`.

        The vectors' place is made first: dying before the catalogue knows it leaves an empty place and no collection.
        """
        check_language(wanted.language)
        for unfinished in await self.catalogue.find_deleting(tenant, wanted.name):
            await self._finish_deleting(unfinished)
        model = await self.embedder.model(wanted.embedding_model, token)
        collection_id = new_id("col")
        vectors = physical_name(collection_id, 1)
        await self.store.create(vectors, model.dimensions, wanted.vectors)
        try:
            await self.catalogue.add(collection_id, tenant, wanted, model)
        except CollectionExists:
            await self.store.drop(vectors)
            raise
        log.info("collection created", collection=wanted.name, embedding_model=model.name)
        return (await self.catalogue.shown([await self.catalogue.get(tenant, wanted.name)]))[0]

    async def shown(self, record: CollectionRecord) -> Collection:
        """A collection as the API shows it, with how far its vectors are indexed, if the vector store can tell."""
        shown = (await self.catalogue.shown([record]))[0]
        try:
            status = await self.store.index_status(record.vectors)
        except (GenerationMissing, VectorStoreUnavailable):
            return shown
        told = {"points": status.points, "indexed_points": status.indexed_points, "indexing": status.building}
        return shown.model_copy(update={"index": shown.index.model_copy(update=told)})

    async def delete(self, tenant: str, name: str) -> None:
        """Remove a collection with everything in it; does nothing if there is none.

        It is gone for every caller at once, then its vectors go, then its rows; a repeated call goes on from there.
        While a backup is read, the end of that does the rest.
        """
        collection_id = await self.catalogue.start_deleting(tenant, name)
        if collection_id is not None and not await self.held.any():
            await self._finish_deleting(collection_id)
            log.info("collection deleted", collection=name)

    async def purge(self, tenant: str) -> None:
        """Remove all collections of a tenant, also those whose deletion was begun and left."""
        for name in await self.catalogue.names(tenant):
            await self.delete(tenant, name)

    async def sweep(self, *, owns_store: bool) -> None:
        """End deletions that were begun, remove points that nobody may see and generations that nobody reads.

        With `owns_store`, places of vectors that the catalogue doesn't name are removed, too. While a backup is read
        nothing is.
        """
        if await self.held.any():
            return
        for collection_id in await self.catalogue.find_deleting():
            await self._finish_deleting(collection_id)
        for retired in await self.generations.retired():
            await self.store.drop(retired.vectors)
            await self.generations.dropped(retired)
        while batch := await self.revisions.uncleaned(_SWEEP):
            for key, state in batch:
                await self._clean(key, state)
        if owns_store:
            known = {READINESS, *await self.catalogue.physical_names()}
            for name in await self.store.generations():
                if name not in known:
                    await self.store.drop(name)

    async def _clean(self, key: RevisionKey, state: DocumentState) -> None:
        hidden = filters.document(key.document_id, up_to=key.revision)
        if state.active == key.revision:
            hidden = filters.document(key.document_id, below=key.revision)
        for vectors in await self.catalogue.physical_names(key.collection_id):
            try:
                await self.store.delete(vectors, hidden)
            except GenerationMissing:
                log.error("vectors missing", generation=vectors)
        await self.revisions.cleaned(key)

    async def _finish_deleting(self, collection_id: str) -> None:
        for vectors in await self.catalogue.physical_names(collection_id):
            await self.store.drop(vectors)
        await self.catalogue.forget(collection_id)
