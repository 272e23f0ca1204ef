"""Collections: the retriever owns them; ingest adds what it knows of their documents, and drives their deletion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, exists, select

from contracts.retrieval.collections import Collection
from ingest.documents.repository import count_documents
from ingest.errors import CollectionDeleting, TenantDeleting
from ingest.tables import COLLECTIONS, TENANT_DELETIONS
from servicekit.sql.database import Database, rows_of
from servicekit.sql.upserts import insert_if_absent

_HERE = (COLLECTIONS.c.tenant == bindparam("tenant")) & (COLLECTIONS.c.name == bindparam("name"))
_KNOWN: Any = select(
    exists().where(TENANT_DELETIONS.c.tenant == bindparam("tenant")).label("tenant_deleting"),
    exists().where(_HERE, COLLECTIONS.c.deletion_job.is_not(None)).label("deleting"),
    exists().where(_HERE).label("known"),
)


async def add_counts(database: Database, tenant: str, collections: Sequence[Collection]) -> list[Collection]:
    """The same collections with their numbers of documents and bytes."""
    names = [each.name for each in collections]
    async with database.read() as connection:
        counts = await count_documents(connection, tenant, names)
    return [
        each.model_copy(update=dict(zip(("documents", "bytes"), counts.get(each.name, (0, 0)), strict=True)))
        for each in collections
    ]


async def is_known(database: Database, tenant: str, name: str) -> bool:
    """Whether documents can be uploaded without asking the retriever.

    Raises `CollectionDeleting` or `TenantDeleting`.
    """
    (row,) = await database.read(rows_of(_KNOWN, {"tenant": tenant, "name": name}), at_once=True)
    if row["tenant_deleting"]:
        raise TenantDeleting
    if row["deleting"]:
        raise CollectionDeleting(name)
    return bool(row["known"])


async def add_collection(database: Database, tenant: str, name: str) -> None:
    """Note that a collection exists."""
    async with database.write() as connection:
        unique = [COLLECTIONS.c.tenant, COLLECTIONS.c.name]
        await insert_if_absent(connection, COLLECTIONS, {"tenant": tenant, "name": name}, unique)
