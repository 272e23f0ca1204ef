"""Documents that are gone, noted while an answer that quotes them is on record or may come to be.

An answer that is under way when a document is deleted is recorded later, by any replica. It is told by its moment: it
began before the deletion. A document that comes back under the same id is another one for answers that begin then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Executable, Select, and_, bindparam, delete, exists, or_, select, tuple_

from gateway.storage.dialects import upsert
from gateway.storage.tables import deleted_documents, record_documents, records
from servicekit.sql.database import Change, Database, rows_of

WHOLE = ""
"""In `document_id`: all of the collection."""
KEPT_FOR = timedelta(hours=2)
"""At least, for answers that are under way or wait to be written; then for as long as a record quotes the document.
Runs, which may wait for a person, take as long as their grants are good: this comes on top."""
ROWS = 1000
_gone, _quoted = deleted_documents.c, record_documents.c
_IS_QUOTED = and_(
    _quoted.tenant == _gone.tenant,
    _quoted.collection == _gone.collection,
    or_(_gone.document_id == _quoted.document_id, _gone.document_id == WHOLE),
)
_BEGAN_BEFORE = and_(records.c.id == _quoted.record_id, records.c.at <= _gone.deleted_at)
QUOTING_DELETED: Select[tuple[str]] = (
    select(_quoted.record_id).join(deleted_documents, _IS_QUOTED).join(records, _BEGAN_BEFORE)
)
"""Ids of records that quote what was deleted after their answers had begun."""
_GOES = QUOTING_DELETED.where(_gone.with_records)
_GOES_AT_ONCE = delete(records).where(
    records.c.id.in_(_GOES.where(_quoted.record_id.in_(bindparam("written", expanding=True))))
)


def without_deleted(record_ids: Collection[str]) -> Change:
    """Of records that were just written, remove those that should have gone with their documents."""
    return _GOES_AT_ONCE, [{"written": list(record_ids)}]


def forgotten_before(moment: datetime) -> Executable:
    """Up to `ROWS` notes of deletions before a moment that no record quotes any more.

    A document's note is looked up by its own id, not among all that its collection's records quote.
    """
    key = (_gone.tenant, _gone.collection, _gone.document_id)
    same_place = and_(_quoted.tenant == _gone.tenant, _quoted.collection == _gone.collection)
    one = exists(select(_quoted.record_id).where(same_place, _quoted.document_id == _gone.document_id, _BEGAN_BEFORE))
    any_of_it = exists(select(_quoted.record_id).where(same_place, _BEGAN_BEFORE))
    stays = or_(one, and_(_gone.document_id == WHOLE, any_of_it))
    found = select(*key).where(_gone.deleted_at < moment, ~stays).limit(ROWS).correlate(None)
    return delete(deleted_documents).where(tuple_(*key).in_(found)).returning(*key)


class DeletedDocuments:
    """Notes what is deleted, and finds what quotes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(
        self, tenant: str, collection: str, document_id: str | None, at: datetime, *, with_records: bool
    ) -> None:
        """A document, or all of a collection, is deleted; records that quote it go, or stay and are in no export."""
        row = {
            "tenant": tenant,
            "collection": collection,
            "document_id": document_id or WHOLE,
            "deleted_at": at,
            "with_records": with_records,
        }
        statement = upsert(self._database.dialect.name, deleted_documents, _gone.deleted_at <= at)
        await self._database.write(lambda connection: connection.execute(statement, [row]))

    async def quoting(self, record_ids: Sequence[str]) -> set[str]:
        """Those records that quote what was deleted since."""
        rows = await self._database.read(rows_of(QUOTING_DELETED.where(_quoted.record_id.in_(record_ids))))
        return {row["record_id"] for row in rows}

    async def delete_tenant(self, tenant: str) -> None:
        """Forget a tenant's that is being deleted."""
        gone = delete(deleted_documents).where(_gone.tenant == tenant)
        await self._database.write(lambda connection: connection.execute(gone))

    async def prune(self, now: datetime, runs_take: timedelta) -> int:
        """Remove records that another replica wrote while their document was being deleted, then what no record quotes
        any more; how many rows there were."""
        late = delete(records).where(records.c.id.in_(_GOES.limit(ROWS))).returning(records.c.id)
        count = 0
        for statement in (late, forgotten_before(now - KEPT_FOR - runs_take)):
            while gone := await self._database.write(partial(_executed, statement)):
                count += gone
        return count


def _executed(statement: Executable, connection: Connection) -> int:
    return len(connection.execute(statement).all())
