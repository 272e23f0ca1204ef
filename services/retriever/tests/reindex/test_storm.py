from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from services.retriever.tests.conftest import TENANT, Bench
from services.retriever.tests.reindex.shadows import MODELS, TO_HASHED, TO_OTHER, begin, copy_all, shown

from contracts.retrieval.reindex import ReindexRequest
from retriever.catalog.collections import CollectionRecord
from retriever.models.protocol import EmbeddingModel
from retriever.stores import filters


@pytest.fixture
def more_models() -> Sequence[EmbeddingModel]:
    return MODELS


@dataclass
class Storm:
    """Writers and reindexes that interleave at every call of the model."""

    bench: Bench
    record: CollectionRecord
    chance: random.Random
    kept: dict[str, list[str]]
    revisions: dict[str, int]

    async def pause(self) -> None:
        for _ in range(self.chance.randint(0, 3)):
            await asyncio.sleep(0)

    def texts(self, name: str) -> list[str]:
        return [f"{name} word{self.chance.randint(0, 9)}-{at}." for at in range(self.chance.randint(1, 4))]

    async def write(self, name: str) -> None:
        for _ in range(4):
            await self.pause()
            self.revisions[name] += 1
            if self.chance.random() < 0.3:
                await self.bench.delete(self.record, name, self.revisions[name])
                self.kept[name] = []
            else:
                self.kept[name] = self.texts(name)
                await self.bench.index(self.record, name, self.revisions[name], self.kept[name])

    async def reindex(self, key: str, wanted: ReindexRequest) -> None:
        shadow = await begin(self.bench, self.record, wanted, key)
        if self.chance.random() < 0.2:
            await self.bench.parts.reindex.delete_shadow(self.record, key)
            return
        while shadow.state == "building":
            await self.bench.parts.reindex.copy_chunks(self.record, shadow.generation, "token")
            shadow = await self.bench.parts.reindex.flip_shadow(self.record, shadow.generation)

    async def reindex_often(self) -> None:
        for number, wanted in enumerate((TO_OTHER, ReindexRequest(language="en"), TO_HASHED, TO_OTHER)):
            await self.reindex(f"k{number}", wanted)

    async def watch(self, done: asyncio.Event) -> None:
        while not done.is_set():
            mode = self.chance.choice(["dense", "sparse"])
            hits = (await self.bench.search("anchor stays", limit=50, mode=mode)).hits
            assert "anchor stays." in {hit.text for hit in hits}
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_in_whatever_order_nothing_is_missed_and_nothing_comes_back(
    bench: Bench, seed: int
) -> None:
    storm = Storm(bench, await bench.create(), random.Random(seed), {}, {})
    await bench.index(storm.record, "anchor", 1, ["anchor stays."])
    for name in (f"d{at}" for at in range(6)):
        storm.kept[name], storm.revisions[name] = storm.texts(name), 1
        await bench.index(storm.record, name, 1, storm.kept[name])
    bench.embedder.meanwhile = storm.pause
    done = asyncio.Event()
    watching = asyncio.create_task(storm.watch(done))
    await asyncio.gather(storm.reindex_often(), *(storm.write(name) for name in list(storm.kept)))
    done.set()
    await watching
    bench.embedder.meanwhile = None
    await _check(bench, storm.record, storm.kept)
    shadow = await copy_all(
        bench, storm.record, await begin(bench, storm.record, ReindexRequest(language="de"), "last")
    )
    assert (await bench.parts.reindex.flip_shadow(storm.record, shadow.generation)).state == "active"
    await _check(bench, storm.record, storm.kept)


async def _check(bench: Bench, record: CollectionRecord, kept: dict[str, list[str]]) -> None:
    after = await bench.parts.collection_repository.get_collection(TENANT, record.name)
    for name, texts in kept.items():
        if texts:
            assert await shown(bench, after, name) == texts
        assert await bench.parts.store.count_points(after.vectors, filters.document(name)) == len(texts), name
    options: dict[str, Any] = {"limit": 100, "mode": "dense"}
    found = sorted(hit.text for hit in (await bench.search("word", **options)).hits)
    assert found == sorted([text for texts in kept.values() for text in texts] + ["anchor stays."])
