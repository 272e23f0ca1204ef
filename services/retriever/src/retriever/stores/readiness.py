"""Readiness of a vector store: it finds a point of its own."""

from __future__ import annotations

from retriever.errors import VectorStoreUnavailable
from retriever.stores.points import Point
from retriever.stores.protocol import VectorStore
from retriever.text.bm25 import SparseVector

READINESS = "readiness"
"""A generation of one point that only the probe searches."""
_ID = "00000000-0000-5000-8000-000000000001"


async def prepare(store: VectorStore) -> None:
    """Make what `probe_store` searches."""
    await store.create_generation(READINESS, 4)
    payload = {"document_id": READINESS, "revision": 1, "tags": []}
    await store.upsert_points(READINESS, [Point(_ID, [1.0, 0.0, 0.0, 0.0], SparseVector([1], [1.0]), payload)])


async def probe_store(store: VectorStore) -> None:
    """Raise unless a real search of the vector store finds what lies there."""
    found = await store.nearest(READINESS, [1.0, 0.0, 0.0, 0.0], None, 1)
    if [each.id for each in found] != [_ID]:
        raise VectorStoreUnavailable
