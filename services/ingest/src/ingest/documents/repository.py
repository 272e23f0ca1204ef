"""Documents as callers see them: looking up, listing, and which revision's bytes and text they mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import ColumnElement, RowMapping, and_, func, or_, select

from contracts.core.pages import Page
from contracts.documents.documents import Document, DocumentRevision, DocumentStatus, Failure
from extraction.model.document import PART_JOINT
from ingest.errors import DocumentNotFound, RevisionNotFound, TextNotFound, TextNotReady
from ingest.parts.files import Part
from ingest.parts.repository import list_parts
from ingest.ports import BlobStore
from ingest.tables import DOCUMENTS, REVISIONS
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.sql.transaction import Transaction

_COLUMNS = DOCUMENTS.c
UNFINISHED = ("queued", "processing")


def as_document(row: RowMapping) -> Document:
    """A row as the API shows it."""
    return Document(
        **{name: row[name] for name in _SHOWN},
        unread_pages=row["unread_pages"] or [],
        error=Failure.model_validate(row["error"]) if row["error"] else None,
    )


_SHOWN = (
    "id",
    "collection",
    "title",
    "source",
    "media_type",
    "bytes",
    "sha256",
    "revision",
    "status",
    "pages",
    "chunks",
    "metadata",
    "created_at",
    "updated_at",
)


def this_document(tenant: str, collection: str, document_id: str) -> ColumnElement[bool]:
    """True of the one row with this identity, deleted or not."""
    return and_(_COLUMNS.tenant == tenant, _COLUMNS.collection == collection, _COLUMNS.id == document_id)


async def get_document(connection: Transaction, tenant: str, collection: str, document_id: str) -> RowMapping:
    """The document; raises `DocumentNotFound`."""
    statement = select(DOCUMENTS).where(this_document(tenant, collection, document_id), _COLUMNS.deleted_at.is_(None))
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        raise DocumentNotFound(collection, document_id)
    return row


async def list_documents(
    connection: Transaction,
    tenant: str,
    collection: str,
    *,
    status: DocumentStatus | None,
    words: str | None,
    limit: int,
    cursor: str | None,
) -> Page[Document]:
    """Newest first; `words` must be in the title, the source or the id."""
    conditions = [_COLUMNS.tenant == tenant, _COLUMNS.collection == collection, _COLUMNS.deleted_at.is_(None)]
    if status is not None:
        conditions.append(_COLUMNS.status == status)
    if words:
        conditions.append(
            or_(
                *(column.icontains(words, autoescape=True) for column in (_COLUMNS.title, _COLUMNS.source, _COLUMNS.id))
            )
        )
    if cursor is not None:
        conditions.append(_COLUMNS.key < decode_cursor(cursor, str)[0])
    statement = select(DOCUMENTS).where(*conditions).order_by(_COLUMNS.key.desc()).limit(limit + 1)
    rows = (await connection.execute(statement)).mappings().all()
    shown = [as_document(row) for row in rows[:limit]]
    return Page(data=shown, next_cursor=encode_cursor(rows[limit - 1]["key"]) if len(rows) > limit else None)


async def count_documents(connection: Transaction, tenant: str, names: list[str]) -> dict[str, tuple[int, int]]:
    """For each collection: documents, and the sum of their bytes."""
    statement = (
        select(_COLUMNS.collection, func.count(), func.coalesce(func.sum(_COLUMNS.bytes), 0))
        .where(_COLUMNS.tenant == tenant, _COLUMNS.collection.in_(names), _COLUMNS.deleted_at.is_(None))
        .group_by(_COLUMNS.collection)
    )
    return {name: (count, int(total)) for name, count, total in (await connection.execute(statement)).all()}


async def get_revision(connection: Transaction, document: RowMapping, n: int | None) -> RowMapping:
    """One revision, or (for null) the newest; raises `RevisionNotFound`."""
    wanted = document["revision"] if n is None else n
    statement = select(REVISIONS).where(REVISIONS.c.document_key == document["key"], REVISIONS.c.n == wanted)
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        raise RevisionNotFound(document["id"], wanted)
    return row


async def list_revisions(
    connection: Transaction, document: RowMapping, limit: int, cursor: str | None
) -> Page[DocumentRevision]:
    """The revisions that are retained, newest first."""
    query = select(REVISIONS).where(REVISIONS.c.document_key == document["key"])
    if cursor is not None:
        query = query.where(REVISIONS.c.n < decode_cursor(cursor, int)[0])
    rows = (await connection.execute(query.order_by(REVISIONS.c.n.desc()).limit(limit + 1))).mappings().all()
    shown = [
        DocumentRevision(
            revision=row["n"],
            active=row["n"] == document["active_revision"],
            **{name: row[name] for name in _OF_REVISION},
        )
        for row in rows[:limit]
    ]
    return Page(data=shown, next_cursor=encode_cursor(rows[limit - 1]["n"]) if len(rows) > limit else None)


_OF_REVISION = ("title", "source", "media_type", "bytes", "sha256", "pages", "chunks", "metadata", "created_at")


async def list_text_parts(connection: Transaction, document: RowMapping, n: int | None) -> list[Part]:
    """The parts of a revision's text: by default the active one's, or of a first revision what is there of it yet."""
    row = await get_revision(connection, document, n if n is not None else document["active_revision"])
    parts = [part for part in await list_parts(connection, document["key"], row["n"]) if part.chars]
    if parts:
        return parts
    if row["n"] == document["revision"] and document["status"] in UNFINISHED:
        raise TextNotReady(document["id"])
    raise TextNotFound(document["id"])


async def stream_text(blobs: BlobStore, parts: Sequence[Part]) -> AsyncIterator[bytes]:
    """The text that these parts make, in UTF-8; raises `BlobMissing` at the first."""
    for number, part in enumerate(parts):
        if number:
            yield PART_JOINT.encode()
        async for piece in blobs.stream(part.text_key):
            yield piece
