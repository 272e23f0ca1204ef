"""Records in SQL: found, shown and deleted. Everything is asked for within one tenant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, delete, func, or_, select, tuple_, type_coerce

from contracts.access.records import AnswerRecord, RecordSummary
from contracts.core.pages import Page
from gateway.records.content import user_hash
from gateway.records.deleted_documents import DeletedDocuments
from gateway.records.errors import RecordNotFound
from gateway.storage.audit_log import Actor, note
from gateway.storage.tables import feedback, record_documents, records
from servicekit.core.clock import Clock
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.sql.database import Database, rows_of
from servicekit.sql.retention import ROWS, prune

SEARCHED = 5000
"""Records whose words one call looks through; the next page goes on from there."""
BEGINNING = 400
"""Characters of question and answer in a list."""
_RATING = (
    select(func.sum(feedback.c.verdict))
    .where(feedback.c.tenant == records.c.tenant, feedback.c.answer_id == records.c.id, feedback.c.part == "answer")
    .scalar_subquery()
)
_LEFT_OUT = ("content", "question", "answer", "user_hash")
_SHOWN = [*(column for column in records.c if column.name not in _LEFT_OUT), _RATING.label("rating")]
_BEGINNINGS = [func.substr(records.c[name], 1, BEGINNING).label(name) for name in ("question", "answer")]
AT_ONCE = timedelta()
"""What answers take that no run gives."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose records are meant: a tenant's, or those of one key of it."""

    tenant: str
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """What a list is about; null means anything."""

    since: datetime | None = None
    until: datetime | None = None
    collection: str | None = None
    model: str | None = None
    user: str | None = None
    rating: str | None = None
    abstained: bool | None = None
    error: bool | None = None
    q: str | None = None


class RecordRepository:
    """Reads and deletes; `writer.py` writes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._deleted = DeletedDocuments(database)

    async def list_records(
        self, reader: Reader, wanted: RecordFilter, limit: int, cursor: str | None
    ) -> Page[RecordSummary]:
        """The newest first. With words to look for a page may be short, or empty, and yet have a next one."""
        where = [*_readable(reader, self._clock.now()), *_conditions(reader, wanted)]
        if cursor:
            at, record_id = decode_cursor(cursor, float, str)
            where.append(tuple_(type_coerce(records.c.at, Double), records.c.id) < tuple_(at, record_id))
        query = select(*_SHOWN, *_BEGINNINGS).where(*where)
        if wanted.q:
            return await self._search(where, query, wanted.q, limit)
        rows = await self._database.read(rows_of(_newest(query).limit(limit + 1)))
        return _page(rows[:limit], _cursor(rows[limit - 1]) if len(rows) > limit else None)

    async def _search(
        self, where: Sequence[ColumnElement[bool]], query: Select[Any], words: str, limit: int
    ) -> Page[RecordSummary]:
        ordered = _newest(select(records.c.id, records.c.at).where(*where))
        looked = ordered.limit(SEARCHED).subquery()
        has = or_(*(records.c[name].icontains(words, autoescape=True) for name in ("question", "answer")))
        found = _newest(query.where(records.c.id.in_(select(looked.c.id)), has)).limit(limit + 1)
        last = ordered.offset(SEARCHED - 1).limit(1)
        async with self._database.read() as connection:
            rows = (await connection.execute(found)).mappings().all()
            if len(rows) > limit:
                return _page(rows[:limit], _cursor(rows[limit - 1]))
            end = (await connection.execute(last)).mappings().one_or_none()
        return _page(rows, _cursor(end) if end is not None else None)

    async def get_record(self, reader: Reader, record_id: str) -> AnswerRecord:
        """One record, whole, for one key of a tenant without a prompt's texts; raises `RecordNotFound`."""
        where = (*_readable(reader, self._clock.now()), records.c.id == record_id)
        found = await self._database.read(rows_of(select(records, _RATING.label("rating")).where(*where)))
        if not found:
            raise RecordNotFound(record_id)
        record = _record(found[0])
        return record if reader.key_id is None else record.model_copy(update={"prompt_messages": None})

    async def get_records(self, tenant: str, ids: Sequence[str]) -> list[AnswerRecord]:
        """Those of a tenant's answers that were recorded."""
        where = (*_readable(Reader(tenant), self._clock.now()), records.c.id.in_(ids))
        found = await self._database.read(rows_of(select(records, _RATING.label("rating")).where(*where)))
        return [_record(row) for row in found]

    async def get_questions(self, tenant: str, ids: Sequence[str], characters: int) -> dict[str, str]:
        """How the questions begin of those that were recorded with their words."""
        began = func.substr(records.c.question, 1, characters).label("began")
        where = (*_readable(Reader(tenant), self._clock.now()), records.c.id.in_(ids), records.c.question > "")
        found = await self._database.read(rows_of(select(records.c.id, began).where(*where)))
        return {row["id"]: row["began"] for row in found}

    async def quoting_deleted(self, ids: Sequence[str]) -> set[str]:
        """Those that quote a document which was deleted since the answer began."""
        return await self._deleted.quoting(ids)

    async def delete_record(self, reader: Reader, record_id: str, actor: Actor) -> None:
        """Raises `RecordNotFound`."""
        gone = delete(records).where(*_readable(reader, self._clock.now()), records.c.id == record_id)
        async with self._database.write() as connection:
            if not (await connection.execute(gone)).rowcount:
                raise RecordNotFound(record_id)
            await note(connection, self._clock.now(), actor, "record.delete", record_id, {})

    async def delete_records_of_user(self, reader: Reader, user: str, actor: Actor) -> int:
        """All of one user's; how many there were."""
        whose = user_hash(reader.tenant, user)
        deleted = await self._delete(*_of(reader), records.c.user_hash == whose)
        async with self._database.write() as connection:
            await note(
                connection, self._clock.now(), actor, "record.delete_user", f"user:{whose}", {"records": deleted}
            )
        return deleted

    async def delete_records_of_tenant(self, tenant: str) -> int:
        """All of a tenant's that is being deleted."""
        await self._deleted.delete_tenant(tenant)
        return await self._delete(records.c.tenant == tenant)

    async def delete_records_of_document(
        self, tenant: str, collection: str, document_id: str | None, *, with_records: bool = True
    ) -> int:
        """All that hold passages of a document, or of any document of the collection: now, and when they are written
        later of answers that have begun. Without `with_records` they stay, and are in no export of feedback."""
        now = self._clock.now()
        await self._deleted.note(tenant, collection, document_id, now, with_records=with_records)
        if not with_records:
            return 0
        about = [record_documents.c.tenant == tenant, record_documents.c.collection == collection]
        if document_id is not None:
            about.append(record_documents.c.document_id == document_id)
        return await self._delete(records.c.id.in_(select(record_documents.c.record_id).where(*about)))

    async def _delete(self, *where: ColumnElement[bool]) -> int:
        """Some at a time, so that no writer waits for it."""
        some = select(records.c.id).where(*where).limit(ROWS)
        gone = delete(records).where(records.c.id.in_(some)).returning(records.c.id)
        deleted = 0
        while True:
            count = len(await self._database.write(lambda connection: connection.execute(gone).all()))
            deleted += count
            if count < ROWS:
                return deleted

    async def prune(self, runs_take: timedelta = AT_ONCE) -> int:
        """Remove what is too old, or should have gone with its document; how many rows there were."""
        now = self._clock.now()
        old = await prune(self._database, records.c.id, records.c.expires_at, now)
        return old + await self._deleted.prune(now, runs_take)


def _of(reader: Reader) -> list[ColumnElement[bool]]:
    own = [] if reader.key_id is None else [records.c.key_id == reader.key_id]
    return [records.c.tenant == reader.tenant, *own]


def _readable(reader: Reader, now: datetime) -> list[ColumnElement[bool]]:
    return [*_of(reader), records.c.expires_at > now]


def _conditions(reader: Reader, wanted: RecordFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(records.c.at >= wanted.since)
    if wanted.until is not None:
        found.append(records.c.at < wanted.until)
    if wanted.collection is not None:
        found.append(records.c.collections.contains(f",{wanted.collection},", autoescape=True))
    if wanted.model is not None:
        found.append(or_(records.c.model == wanted.model, records.c.answered_by == wanted.model))
    if wanted.user is not None:
        found.append(records.c.user_hash == user_hash(reader.tenant, wanted.user))
    if wanted.rating is not None:
        by_rating = {"up": _RATING > 0, "down": _RATING < 0, "none": _RATING.is_(None)}
        found.append(by_rating[wanted.rating])
    if wanted.abstained is not None:
        found.append(records.c.abstained.is_(wanted.abstained))
    if wanted.error is not None:
        found.append(records.c.error_type.is_not(None) if wanted.error else records.c.error_type.is_(None))
    return found


def _newest(query: Select[Any]) -> Select[Any]:
    return query.order_by(records.c.at.desc(), records.c.id.desc())


def _cursor(row: Any) -> str:
    return encode_cursor(float(row["at"].timestamp()), row["id"])


def _page(rows: Sequence[Any], cursor: str | None) -> Page[RecordSummary]:
    return Page[RecordSummary](data=[RecordSummary.model_validate(_shown(row)) for row in rows], next_cursor=cursor)


def _record(row: Any) -> AnswerRecord:
    return AnswerRecord.model_validate({**json.loads(row["content"]), **_shown(row)})


def _shown(row: Any) -> dict[str, Any]:
    return {**dict(row), "collections": [name for name in row["collections"].split(",") if name]}
