"""Collections: the retriever owns them; ingest adds what it knows of their documents, and drives their deletion."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from contracts.collections import Collection
from ingest.deletions import deletion_under_way
from ingest.documents import counted
from ingest.errors import CollectionDeleting
from ingest.tables import COLLECTIONS
from ingest.tenants import check_not_deleting
from servicekit.sql import Database
from servicekit.upserts import insert_if_absent


async def with_counts(database: Database, tenant: str, collections: Sequence[Collection]) -> list[Collection]:
    """The same collections with their numbers of documents and bytes."""
    names = [each.name for each in collections]
    async with database.read() as connection:
        counts = await counted(connection, tenant, names)
    return [
        each.model_copy(update=dict(zip(("documents", "bytes"), counts.get(each.name, (0, 0)), strict=True)))
        for each in collections
    ]


async def known(database: Database, tenant: str, name: str) -> bool:
    """Whether documents can be uploaded without asking the retriever.

    Raises `CollectionDeleting` or `TenantDeleting`.
    """
    async with database.read() as connection:
        await check_not_deleting(connection, tenant)
        if await deletion_under_way(connection, tenant, name):
            raise CollectionDeleting(name)
        here = (COLLECTIONS.c.tenant == tenant) & (COLLECTIONS.c.name == name)
        return (await connection.execute(select(COLLECTIONS.c.name).where(here))).first() is not None


async def remember(database: Database, tenant: str, name: str) -> None:
    """Note that a collection exists."""
    async with database.write() as connection:
        unique = [COLLECTIONS.c.tenant, COLLECTIONS.c.name]
        await insert_if_absent(connection, COLLECTIONS, {"tenant": tenant, "name": name}, unique)
