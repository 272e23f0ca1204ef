"""The embedded store: what it promises beside what any store must do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import qdrant_edge as edge
from tests.support.retriever.indexed_writer import DIMENSIONS, point_of

from contracts.retrieval.collections import VectorOptions
from retriever.stores import filters
from retriever.stores.edge import options as edge_options
from retriever.stores.edge.index_builds import BuildRules
from retriever.stores.edge.store import EdgeStore

ALL = filters.Where(must=(filters.Within(("ordinal",), gte=0),))


async def test_others_get_their_turns_while_many_points_go(tmp_path: Path, open_edge: Callable[..., EdgeStore]) -> None:
    store = open_edge(tmp_path, rules=BuildRules(points=0))
    await store.create_generation("g", DIMENSIONS)
    await store.upsert_points("g", [point_of(each) for each in range(6_000)])
    turns = 0
    long = filters.Where(must=(filters.Within(("ordinal",), gte=3),))
    gone = asyncio.create_task(store.delete_points("g", long))
    while not gone.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert await gone == 5_997
    assert turns > 5, "the interpreter lock was held all the while"
    assert await store.count_points("g", ALL) == 3


async def test_a_shard_that_an_earlier_version_made_gets_the_indexes_that_it_lacks(
    tmp_path: Path, open_edge: Callable[..., EdgeStore]
) -> None:
    (tmp_path / "g").mkdir()
    shard = edge.EdgeShard.create(str(tmp_path / "g"), edge_options.config(DIMENSIONS, VectorOptions()))
    for field, index in edge_options.field_indexes().items():
        if field not in ("hash", "ordinal"):
            shard.update(index)
    shard.flush()
    shard.close()
    store = open_edge(tmp_path)
    await store.upsert_points("g", [point_of(each) for each in range(5)])
    assert set(await store.get_vectors_by_hash("g", filters.document("d2"), ["h2", "h3"])) == {"h2"}
    await store.close()
    shard = edge.EdgeShard.load(str(tmp_path / "g"))
    assert set(edge_options.field_indexes()) <= set(shard.info().payload_schema)
    shard.close()
