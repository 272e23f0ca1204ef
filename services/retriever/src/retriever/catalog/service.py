"""Collections are made and removed so that a process may die between any two steps and the call be repeated."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from contracts.retrieval.collections import AUTO_MODEL, Collection, CollectionCreate, VectorOptions
from retriever.catalog.collections import UNBOUND, CollectionRecord, CollectionRepository, physical_name
from retriever.catalog.generations import GenerationRepository
from retriever.catalog.model_choice import ModelChoice, choose_model, default_model, obvious_choice
from retriever.catalog.revisions import DocumentState, RevisionRepository
from retriever.errors import CollectionExists, GenerationMissing, VectorStoreUnavailable
from retriever.models.protocol import Embedder, EmbeddingModel
from retriever.stores import filters
from retriever.stores.points import RevisionKey
from retriever.stores.protocol import VectorStore
from retriever.stores.readiness import READINESS
from retriever.text.languages import AUTO, check_language
from retriever.text.main_language import main_language
from servicekit.backup.lock import BackupLock
from servicekit.core.errors import ServiceError
from servicekit.core.identifiers import new_id

log = structlog.get_logger(__name__)
CLEANUP_BATCH = 500
FIRST = "its first document"
"""Whose language chooses, in the reason."""


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
        """A new collection; raises `CollectionExists`, `EmbeddingModelUnknown` or `LanguageUnknown`.

        It is bound to a concrete model, or for `auto` by its first document, where that makes a difference. The place
        of the vectors is made first: dying before the catalog knows it leaves an empty place and no collection.
        """
        check_language(wanted.language)
        for unfinished in await self.repository.list_deletions(tenant, wanted.name):
            await self._finish_deletion(unfinished)
        model, reason = await self._model(wanted, token)
        collection_id = new_id("col")
        vectors = physical_name(collection_id, 1)
        await self.store.create_generation(vectors, model.dimensions, wanted.vectors)
        try:
            await self.repository.create_collection(collection_id, tenant, wanted, model, reason)
        except CollectionExists:
            await self.store.delete_generation(vectors)
            raise
        log.info("collection created", collection=wanted.name, embedding_model=model.name)
        return (
            await self.repository.describe_collections([await self.repository.get_collection(tenant, wanted.name)])
        )[0]

    async def bind_collection(self, record: CollectionRecord, text: str, token: str) -> CollectionRecord:
        """The collection with a model chosen by `text`, of its first document, unless it has one: that stays.

        Calls at once may each choose; one of them binds, and all return what it chose.
        """
        if not record.is_unbound:
            return record
        language = await asyncio.to_thread(main_language, text)
        choice = await self._usable_choice(language, token)
        before, after = record.vectors, record.vectors
        if choice.model.dimensions != record.dimensions:
            after = f"{physical_name(record.id, record.generation)}-{new_id('g')[-8:]}"
            options = VectorOptions.model_validate(record.vector_options)
            await self.store.create_generation(after, choice.model.dimensions, options)
        bound = await self.repository.bind_model(record, choice.model, choice.reason, after)
        if after != before and not await self.backup_lock.is_held():  # what stays is empty, and a start removes it
            await self.store.delete_generation(before if bound else after)
        if bound:
            log.info(
                "collection bound", collection=record.name, embedding_model=choice.model.name, reason=choice.reason
            )
        return await self.repository.get_collection(record.tenant, record.name)

    async def _usable_choice(self, language: str | None, token: str) -> ModelChoice:
        """What the first document chooses. A model that is loaded when it is used is used once before it is bound to:
        one that can't be loaded is passed over; raises `ServiceError` for one that is away for now.
        """
        choice = choose_model(await self.embedder.list_models(token), language, FIRST)
        if choice.model.is_default:
            return choice
        try:
            await self.embedder.embed(choice.model.name, ["a"], "bulk", token)
        except ServiceError:
            again = choose_model(await self.embedder.list_models(token), language, FIRST)
            if again.model.name == choice.model.name:
                raise
            return again
        return choice

    async def _model(self, wanted: CollectionCreate, token: str) -> tuple[EmbeddingModel, str | None]:
        """The model of a new collection, and why, where it is ours to choose."""
        if wanted.embedding_model != AUTO_MODEL:
            return await self.embedder.get_model(wanted.embedding_model, token), None
        models = await self.embedder.list_models(token)
        choice = obvious_choice(models)
        if choice is None and wanted.language != AUTO:
            choice = choose_model(models, wanted.language, "it")
        return (default_model(models), UNBOUND) if choice is None else (choice.model, choice.reason)

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
