"""What goes with a tenant and with a document."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, select, update

from gateway.storage.tables import feedback, feedback_sources, lab_notices, reviews
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction

ROWS = 500


async def delete_tenant(connection: Transaction, tenant: str) -> None:
    """Remove all that a tenant's people said, its queue, and what the lab, which has deleted it, need not hear."""
    for table in (feedback_sources, feedback, reviews, lab_notices):
        await connection.execute(delete(table).where(table.c.tenant == tenant))


async def delete_sources(database: Database, tenant: str, collection: str, document_id: str | None) -> int:
    """Remove what came from a document, or from all of a collection: what was said of its citations, and the words of
    whoever commented on or corrected an answer that quoted it. Ratings stay, in no export. How many rows that were."""
    found = [feedback_sources.c.tenant == tenant, feedback_sources.c.collection == collection]
    if document_id is not None:
        found.append(feedback_sources.c.document_id == document_id)
    query = select(feedback_sources.c.feedback_id).where(*found).distinct().limit(ROWS)
    gone = 0
    while ids := await database.write(lambda connection: _erase(connection, connection.execute(query).scalars().all())):
        gone += len(ids)
    return gone


def _erase(connection: Connection, ids: Sequence[str]) -> Sequence[str]:
    some = feedback.c.id.in_(ids)
    says_nothing = and_(*(feedback.c[name].is_(None) for name in ("verdict", "preferred_over", "tied_with")))
    connection.execute(delete(feedback_sources).where(feedback_sources.c.feedback_id.in_(ids)))
    connection.execute(delete(feedback).where(some, says_nothing | feedback.c.part.startswith("citation:")))
    connection.execute(update(feedback).where(some).values(withheld=True, comment=None, correction=None))
    return ids
