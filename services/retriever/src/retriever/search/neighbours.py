"""Neighbouring chunks: what stands before and after a hit in its document, for readers who need more than the hit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from contracts.retrieval.search import Hit, Neighbour
from retriever.catalog.collections import CollectionRecord
from retriever.errors import GenerationMissing
from retriever.stores.points import RevisionKey, StoredPoint
from retriever.stores.protocol import VectorStore


async def attach(store: VectorStore, records: Sequence[CollectionRecord], hits: Sequence[Hit], reach: int) -> list[Hit]:
    """The hits with up to `reach` chunks of the same revision before and after each, found by their ids.

    No chunk comes twice: one that is a hit itself, or stands beside a better hit, is left out. A revision or a
    generation that was replaced meanwhile has no chunks to give any more.
    """
    by_name = {record.name: record for record in records}
    places = await _fetch(store, by_name, {hit.chunk_id: hit.collection for hit in hits})
    taken = {hit.chunk_id for hit in hits}
    beside: dict[str, list[str]] = {}
    wanted: dict[str, str] = {}
    for hit in hits:
        if hit.chunk_id not in places:
            continue
        key = RevisionKey(by_name[hit.collection].id, hit.document_id, hit.revision)
        ordinal = places[hit.chunk_id].payload["ordinal"]
        ids = [key.chunk_id(at) for at in range(max(0, ordinal - reach), ordinal + reach + 1)]
        beside[hit.chunk_id] = [each for each in ids if each not in taken]
        taken.update(ids)
        wanted.update(dict.fromkeys(beside[hit.chunk_id], hit.collection))
    found = await _fetch(store, by_name, wanted)
    return [
        hit.model_copy(
            update={"neighbours": [_neighbour(found[each]) for each in beside.get(hit.chunk_id, ()) if each in found]}
        )
        for hit in hits
    ]


async def _fetch(
    store: VectorStore, records: Mapping[str, CollectionRecord], wanted: Mapping[str, str]
) -> dict[str, StoredPoint]:
    """The points with these ids, which map to their collections."""
    names = sorted(set(wanted.values()))

    async def fetch(name: str) -> dict[str, StoredPoint]:
        try:
            return await store.get_points(records[name].vectors, [each for each, of in wanted.items() if of == name])
        except GenerationMissing:
            return {}

    fetched = await asyncio.gather(*(fetch(name) for name in names))
    return {each: point for points in fetched for each, point in points.items()}


def _neighbour(stored: StoredPoint) -> Neighbour:
    payload = stored.payload
    return Neighbour(
        chunk_id=stored.id,
        text=payload["text"],
        page=payload.get("page"),
        heading_path=payload["heading_path"],
        start=payload["start"],
        end=payload["end"],
    )
