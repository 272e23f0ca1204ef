"""The retriever's part of a backup: the catalog as it is at one moment, and the vectors that it names.

Vectors have no views of a moment. But a revision's points never change, and while the backup holds removals off none of
them goes: so reading them later gives what was there. Words' weights are not read: they are made of the text again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, select

from retriever.catalog.collections import ACTIVE
from retriever.catalog.service import CollectionService
from retriever.catalog.tables import backup_lock, collections, documents, generations
from retriever.errors import BackupOvertaken, GenerationMissing
from retriever.models.vector_codec import from_base64, to_base64
from retriever.stores import filters
from retriever.stores.points import Point, RevisionKey, StoredPoint, embedded_text, facts_and_chunk
from retriever.stores.protocol import VectorStore
from retriever.text.bm25 import document_vector
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import PartWriter, lines
from servicekit.backup.lock import BackupLock
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction

PAGE = 128
"""Points that are in memory at once."""
DOCUMENTS = 500
SEARCHED = 4096
"""How far past what was found a revision that still arrives is looked through."""
POINTS = "points/"


@dataclass(frozen=True, slots=True)
class BackupDump:
    """Reads everything."""

    database: Database
    store: VectorStore
    collections: CollectionService

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """The members, as of the moment at which the block began. What was to be removed meanwhile goes afterwards."""
        async with BackupLock(backup_lock, self.database).hold(), self.database.snapshot() as connection:
            yield self._pieces(connection)
        await self.collections.cleanup(owns_store=False)

    async def _pieces(self, connection: Transaction) -> AsyncIterator[bytes]:
        part = PartWriter("retriever")
        async for piece in backup_tables.dump(connection, part, (backup_lock.name,)):
            yield piece
        active = select(generations).join(collections, collections.c.id == generations.c.collection_id)
        active = active.where(generations.c.state == "active", collections.c.state == ACTIVE)
        for generation in (await connection.execute(active)).mappings().all():
            number = 0
            try:
                async for rows in self._points(connection, generation):
                    yield part.member(f"{POINTS}{generation['physical_name']}/{number:08}.jsonl", lines(rows))
                    number += 1
            except GenerationMissing:
                raise BackupOvertaken from None
        yield part.end()

    async def _points(self, connection: Transaction, generation: RowMapping) -> AsyncIterator[list[Any]]:
        collection_id, after = generation["collection_id"], ""
        query = select(documents).where(documents.c.collection_id == collection_id)
        query = query.order_by(documents.c.document_id).limit(DOCUMENTS)
        while found := (await connection.execute(query.where(documents.c.document_id > after))).mappings().all():
            for document in found:
                after = document["document_id"]
                key = RevisionKey(collection_id, after, document["active"] or 0)
                for first in range(0, document["chunks"] if document["active"] else 0, PAGE):
                    ids = [key.chunk_id(each) for each in range(first, min(first + PAGE, document["chunks"]))]
                    rows = await self._read(generation, ids)
                    if len(rows) < len(ids):
                        raise BackupOvertaken
                    yield rows
                if document["pending"] is not None:
                    async for rows in self._arriving(
                        generation, RevisionKey(collection_id, after, document["pending"])
                    ):
                        yield rows

    async def _arriving(self, generation: RowMapping, key: RevisionKey) -> AsyncIterator[list[Any]]:
        """What is there of a revision that still arrives; its job sends what is not."""
        there = await self.store.count_points(
            generation["physical_name"], filters.revision(key.document_id, key.revision)
        )
        found = first = 0
        while found < there and first < found + SEARCHED:
            rows = await self._read(generation, [key.chunk_id(each) for each in range(first, first + PAGE)])
            found, first = found + len(rows), first + PAGE
            if rows:
                yield rows

    async def _read(self, generation: RowMapping, ids: Sequence[str]) -> list[Any]:
        stored = await self.store.get_points(generation["physical_name"], ids)
        dense = await self.store.get_vectors(generation["physical_name"], ids)
        return [
            [name, to_base64(dense[name]), stored[name].payload] for name in ids if name in stored and name in dense
        ]


def to_point(row: Sequence[Any], language: str) -> Point:
    """A point as it was, in a collection of this language."""
    name, dense, payload = row
    _, chunk = facts_and_chunk(StoredPoint(name, payload))
    return Point(name, from_base64(dense), document_vector(embedded_text(chunk), language), payload)
