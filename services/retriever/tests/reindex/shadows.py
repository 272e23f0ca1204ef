"""Steps of a reindex, for the tests that drive one."""

from __future__ import annotations

from services.retriever.tests.conftest import TENANT, Bench, chunk, facts

from contracts.retrieval.chunks import ChunkBatch, CommitRequest
from contracts.retrieval.collections import Chunking
from contracts.retrieval.reindex import ReindexRequest, Shadow
from retriever.catalog.collections import CollectionRecord
from retriever.models.protocol import EmbeddingModel
from retriever.stores.points import RevisionKey

MODELS = (EmbeddingModel("other", 32, 256), EmbeddingModel("smaller", 32, 128))
TO_OTHER = ReindexRequest(embedding_model="other")
TO_HASHED = ReindexRequest(embedding_model="hashed")
TO_RECUT = ReindexRequest(chunking=Chunking(strategy="sentence", max_tokens=32))


async def begin(bench: Bench, record: CollectionRecord, wanted: ReindexRequest = TO_OTHER, key: str = "k") -> Shadow:
    return await bench.parts.reindex.create_shadow(record, key, wanted, "token")


async def copy_all(bench: Bench, record: CollectionRecord, shadow: Shadow) -> Shadow:
    for _ in range(200):
        shadow = await bench.parts.reindex.copy_chunks(record, shadow.generation, "token")
        if shadow.left == 0:
            return shadow
    raise AssertionError(f"{shadow.left} documents are left")


async def reindex(
    bench: Bench, record: CollectionRecord, wanted: ReindexRequest = TO_OTHER, key: str = "k"
) -> CollectionRecord:
    shadow = await copy_all(bench, record, await begin(bench, record, wanted, key))
    assert (await bench.parts.reindex.flip_shadow(record, shadow.generation)).state == "active"
    return await bench.parts.collection_repository.get_collection(TENANT, record.name)


async def shown(bench: Bench, record: CollectionRecord, document: str = "d") -> list[str]:
    page = await bench.parts.indexing.list_chunks(record, document, 500, None)
    return [each.text for each in page.data]


async def stage(bench: Bench, record: CollectionRecord, shadow: Shadow, revision: int, texts: list[str]) -> None:
    key = RevisionKey(record.id, "d", revision)
    batch = ChunkBatch(document=facts("d"), chunks=[chunk(at, text) for at, text in enumerate(texts)])
    await bench.parts.reindex.stage_chunks(record, shadow.generation, key, batch, "token")
    wanted = CommitRequest(document=facts("d"), chunks=len(texts))
    await bench.parts.reindex.commit_staged(record, shadow.generation, key, wanted)
