"""A database of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import MetaData

from servicekit.sql.database import Database


@asynccontextmanager
async def new_database(folder: Path, metadata: MetaData) -> AsyncIterator[Database]:
    """SQLite in a file of the folder, with these tables, until the block ends."""
    database = Database.open(None, folder, "test")
    try:
        async with database.write() as connection:
            await connection.run(metadata.create_all)
        yield database
    finally:
        await database.close()
