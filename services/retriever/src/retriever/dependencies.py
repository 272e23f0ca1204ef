"""The parts that the routes work with: built once at start by `bootstrap`."""

from __future__ import annotations

from dataclasses import dataclass

from retriever.catalog.collections import CollectionRepository
from retriever.catalog.service import CollectionService
from retriever.indexing.service import IndexingService
from retriever.models.protocol import Embedder
from retriever.reindex.service import ReindexService
from retriever.search.service import SearchService
from retriever.stores.protocol import VectorStore
from servicekit.sql.database import Database


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Everything that outlives a call."""

    database: Database
    store: VectorStore
    embedder: Embedder
    collection_repository: CollectionRepository
    collections: CollectionService
    indexing: IndexingService
    reindex: ReindexService
    search: SearchService
