"""The parts that the routes work with: built once at start by `bootstrap`."""

from __future__ import annotations

from dataclasses import dataclass

from retriever.catalog.collections import Catalogue
from retriever.catalog.service import Lifecycle
from retriever.indexing.service import Indexing
from retriever.models.protocol import Embedder
from retriever.reindex.service import Reindexing
from retriever.search.service import Searching
from retriever.stores.protocol import VectorStore
from servicekit.sql.database import Database


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Everything that outlives a call."""

    database: Database
    store: VectorStore
    embedder: Embedder
    catalogue: Catalogue
    lifecycle: Lifecycle
    indexing: Indexing
    reindexing: Reindexing
    searching: Searching
