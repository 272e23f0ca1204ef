"""`python -m retriever.restore FILE`: put the retriever's part of a backup into an empty catalog and vector store."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import IO, Any

from sqlalchemy import select

from contracts.retrieval.collections import VectorOptions
from retriever.backup.dump import POINTS, to_point
from retriever.bootstrap import MIGRATIONS, open_store
from retriever.catalog.generations import ACTIVE, BUILDING, DROPPED, RETIRED
from retriever.catalog.tables import generations
from retriever.settings import RetrieverSettings
from retriever.stores.points import Point
from retriever.stores.protocol import VectorStore
from servicekit.backup import restore as restore_command
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import BackupFile
from servicekit.backup.tables import Row
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction

PREFIX = "retriever/"
AT_ONCE = 64


def restored_row(table: str, row: Row) -> Row | None:
    """The row as it is true afterwards: nothing of a generation that was being built is there; it is begun again."""
    if table == "documents":
        return row | {"uncopied": False, "misses": 0, "staged": None, "staged_chunks": None}
    if table == "generations" and row["state"] == BUILDING:
        return None
    if table == "generations" and row["state"] == RETIRED:
        return row | {"state": DROPPED}
    return row


async def restore(settings: RetrieverSettings, backup: BackupFile) -> None:
    """Vectors and rows; the rows count only once all vectors are written. One that was cut off can be run again."""
    database = Database.open(settings.database_url, settings.data_dir, "retriever")
    try:
        await backup_tables.require_empty(database)
        store = await open_store(settings)
        try:

            async def vectors(connection: Transaction) -> None:
                await _vectors(connection, store, backup)

            await backup_tables.load(database, MIGRATIONS, backup.members(PREFIX), change=restored_row, then=vectors)
        finally:
            await store.close()
    finally:
        await database.close()


async def _vectors(connection: Transaction, store: VectorStore, backup: BackupFile) -> None:
    query = select(generations).where(generations.c.state == ACTIVE)
    languages = {}
    for row in (await connection.execute(query)).mappings():
        options = VectorOptions.model_validate(row["vector_options"])
        await store.create_generation(row["physical_name"], row["dimensions"], options)
        languages[row["physical_name"]] = row["language"]
    for name, content in backup.members(f"{PREFIX}{POINTS}"):
        generation = name.partition("/")[0]
        await _points(store, generation, languages[generation], content)


async def _points(store: VectorStore, generation: str, language: str, content: IO[bytes]) -> None:
    rows = [json.loads(line) for line in content]
    for first in range(0, len(rows), AT_ONCE):
        await store.upsert_points(
            generation, await asyncio.to_thread(_to_points, rows[first : first + AT_ONCE], language)
        )


def _to_points(rows: list[Any], language: str) -> list[Point]:
    return [to_point(row, language) for row in rows]


if __name__ == "__main__":
    settings = RetrieverSettings()
    sys.exit(restore_command.run(settings, "retriever", lambda backup: restore(settings, backup)))
