from __future__ import annotations

import pytest

from retriever.errors import GenerationMissing
from retriever.stores.qdrant.store import QdrantStore
from retriever.stores.readiness import READINESS, prepare, probe_store


async def test_a_store_is_ready_when_it_finds_its_own_point() -> None:
    store = QdrantStore.in_memory()
    await prepare(store)
    await prepare(store)
    await probe_store(store)
    await store.delete_generation(READINESS)
    with pytest.raises(GenerationMissing):
        await probe_store(store)
    await store.close()
