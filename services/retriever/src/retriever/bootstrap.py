"""Puts the retriever together; the only place that picks adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from retriever.api import collections, documents, installation, search, shadows
from retriever.catalog.collections import CollectionRepository
from retriever.catalog.generations import GenerationRepository
from retriever.catalog.revisions import RevisionRepository
from retriever.catalog.service import CollectionService
from retriever.catalog.tables import backup_lock
from retriever.dependencies import Dependencies
from retriever.indexing.chunk_vectors import ChunkVectors
from retriever.indexing.service import IndexingService
from retriever.models.inference import InferenceEmbedder, InferenceReranker
from retriever.models.protocol import Embedder, Reranker
from retriever.reindex.copies import ShadowCopier
from retriever.reindex.service import ReindexService
from retriever.search.candidates import CandidateReader
from retriever.search.rerank import RerankStage
from retriever.search.service import SearchService
from retriever.settings import RetrieverSettings
from retriever.stores import readiness
from retriever.stores.protocol import VectorStore
from servicekit.backup.lock import BackupLock
from servicekit.core.clock import Clock, SystemClock
from servicekit.core.errors import ServiceError, is_disk_full
from servicekit.core.probes import Degraded, Probe
from servicekit.peers.client import Peer, open_session
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate
from servicekit.web.app import DEFAULT_BODY_BYTES, build_app

log = structlog.get_logger(__name__)
MIGRATIONS = Path(__file__).parent / "migrations"
BATCH_BYTES = 48 * 1024 * 1024


def assemble(
    settings: RetrieverSettings,
    database: Database,
    store: VectorStore,
    embedder: Embedder,
    reranker: Reranker,
    clock: Clock | None = None,
) -> Dependencies:
    """The domain over these adapters."""
    clock = clock or SystemClock()
    collection_rows = CollectionRepository(database, clock)
    generations = GenerationRepository(database, clock)
    revisions = RevisionRepository(database, clock, collection_rows, generations)
    vectors = ChunkVectors(store, embedder, settings.embedding_batch, settings.embedding_concurrency)
    copier = ShadowCopier(revisions, generations, store, vectors)
    lock = BackupLock(backup_lock, database, clock)
    reader = CandidateReader(store)
    seconds = settings.rerank_milliseconds / 1000
    rerank = RerankStage(reranker, settings.rerank_candidates, seconds, settings.rerank_weight)
    return Dependencies(
        database=database,
        store=store,
        embedder=embedder,
        collection_repository=collection_rows,
        collections=CollectionService(collection_rows, revisions, generations, store, embedder, lock),
        indexing=IndexingService(collection_rows, revisions, generations, store, vectors, lock),
        reindex=ReindexService(collection_rows, revisions, generations, store, embedder, vectors, copier, lock),
        search=SearchService(collection_rows, reader, store, revisions, embedder, rerank),
    )


async def open_store(settings: RetrieverSettings) -> VectorStore:
    """The vector store that the settings name. Only the chosen engine is imported: a client costs 60 MB."""
    if settings.qdrant_url:
        from retriever.stores.qdrant.options import spread_of
        from retriever.stores.qdrant.store import QdrantStore

        spread = spread_of(settings)
        return QdrantStore.connect(settings.qdrant_url, settings.qdrant_api_key, settings.qdrant_seconds, spread)
    from retriever.stores.edge.index_builds import BuildRules
    from retriever.stores.edge.store import EdgeStore

    rules = BuildRules(
        points=settings.index_points, seconds=settings.index_build_seconds, memory_mib=settings.index_build_mib
    )
    folder, reserve = settings.data_dir / "vectors", settings.disk_reserve_bytes
    return EdgeStore(folder, settings.open_shards, settings.store_threads, rules, reserve)


@asynccontextmanager
async def open_dependencies(settings: RetrieverSettings) -> AsyncIterator[Dependencies]:
    """Open everything, bring the catalog's schema up to date and end what an earlier process left half done."""
    store = await open_store(settings)
    try:
        database = Database.open(settings.database_url, settings.data_dir, "retriever")
        try:
            await migrate(database, MIGRATIONS)
            async with open_session() as session:
                peer = Peer("inference", settings.inference_url, session)
                seconds = (settings.bulk_embedding_seconds, settings.query_embedding_seconds)
                embedder = InferenceEmbedder(peer, Peer("gateway", settings.gateway_url, session), *seconds)
                reranker = InferenceReranker(peer, settings.rerank_milliseconds / 1000)
                dependencies = assemble(settings, database, store, embedder, reranker)
                await _begin(dependencies, owns_store=not settings.qdrant_url)
                yield dependencies
        finally:
            await database.close()
    finally:
        await store.close()


async def _begin(dependencies: Dependencies, *, owns_store: bool) -> None:
    """End what an earlier process left half done. Searches go on without it: on a full disk the next start does it."""
    try:
        await readiness.prepare(dependencies.store)
        await dependencies.collections.cleanup(owns_store=owns_store)
    except (ServiceError, SQLAlchemyError, OSError) as error:
        if not is_disk_full(error):
            raise
        log.warning("the disk is full: what was left half done stays so", error=repr(error)[:300])


def create_app(settings: RetrieverSettings | None = None, dependencies: Dependencies | None = None) -> FastAPI:
    """The retriever's app; with `dependencies`, which stay open, nothing else is opened."""
    chosen = settings or RetrieverSettings()

    def opening() -> AbstractAsyncContextManager[Dependencies]:
        return open_dependencies(chosen) if dependencies is None else nullcontext(dependencies)

    app = build_app(
        "retriever",
        settings=chosen,
        opening=opening,
        routers=[collections.router, documents.router, shadows.router, search.router, installation.router],
        probes=lambda opened: _probes(opened, app),
        body_limit=lambda path, _media_type: BATCH_BYTES if path.endswith("/chunks") else DEFAULT_BODY_BYTES,
    )
    app.router.routes.insert(0, search.direct_route)
    return app


def _probes(dependencies: Dependencies, app: FastAPI) -> Mapping[str, Probe]:
    return {
        "database": dependencies.database.probe,
        "vector_store": lambda: readiness.probe_store(dependencies.store),
        "inference": lambda: _probe_embedder(dependencies.embedder),
        "delegation_key": app.state.verifier.probe,
    }


async def _probe_embedder(embedder: Embedder) -> None:
    """Without inference, collections are still searched by words; `Degraded` says so."""
    try:
        await embedder.probe()
    except ServiceError as error:
        raise Degraded(f"{error.message} Searches go by words alone, and indexing fails until it is back.") from None
