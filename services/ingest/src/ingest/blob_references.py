"""Which blobs the ledger still needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import or_, select

from ingest.ports import BlobStore
from ingest.tables import REVISIONS
from servicekit.sql import Database

KEYS = ("blob_key", "text_key", "spans_key", "plan_key")


def keys_of(revisions: Iterable[Mapping[str, Any]]) -> set[str]:
    """All blobs that some revisions name."""
    return {row[name] for row in revisions for name in KEYS if row[name]}


async def drop_unreferenced(database: Database, blobs: BlobStore, tenant: str, keys: Iterable[str]) -> None:
    """Remove blobs that no revision of the tenant names any more."""
    for key in keys:

        async def wanted(key: str = key) -> bool:
            statement = select(REVISIONS.c.n).where(
                REVISIONS.c.tenant == tenant, or_(*(REVISIONS.c[name] == key for name in KEYS))
            )
            async with database.read() as connection:
                return (await connection.execute(statement.limit(1))).first() is not None

        await blobs.remove_unless(key, wanted)
