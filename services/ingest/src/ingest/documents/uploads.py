"""Accepting a document: whether it is new, a new revision, the same again, or one that deserves another try.

All of it happens in one transaction, in which the row of the collection makes uploads to it wait for one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, bindparam, insert, select, update

from contracts.documents.documents import Metadata
from ingest.documents.repository import this_document
from ingest.errors import CollectionDeleting, CollectionNotFound
from ingest.jobs.lifecycle import SUPERSEDED, end_live, new_job
from ingest.parts.repository import delete_parts
from ingest.tables import COLLECTIONS, DOCUMENTS, JOBS, REVISIONS, WORKERS
from servicekit.core.identifiers import new_id
from servicekit.jobs.tables import LIVE, JobOwner
from servicekit.jobs.worker_registry import ALIVE
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction
from servicekit.sql.upserts import insert_if_absent, insert_returning

_SAME_BYTES = select(DOCUMENTS.c.key).where(
    *(DOCUMENTS.c[name] == bindparam(name) for name in ("tenant", "collection", "id", "sha256"))
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A document whose bytes are in the blob store."""

    job_owner: JobOwner
    collection: str
    document_id: str | None
    """The caller's own id; null means that the bytes are the identity."""
    title: str | None
    fallback_title: str
    source: str
    media_type: str
    metadata: Metadata
    bytes: int
    sha256: str
    blob_key: str

    @property
    def id(self) -> str:
        """The document's id."""
        return self.document_id or self.sha256

    def facts(self) -> dict[str, Any]:
        """What a revision keeps and its document shows."""
        return {
            "title": self.title or self.fallback_title,
            "source": self.source,
            "media_type": self.media_type,
            "metadata": self.metadata,
            "bytes": self.bytes,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True)
class Accepted:
    """What came of an upload: rows as they are now. `job` is the one under way, if any."""

    document: RowMapping
    job: RowMapping | None
    unchanged: bool


def left_out(upload: Upload, document: RowMapping) -> list[str]:
    """What a document keeps though an upload of its bytes says otherwise: `metadata`, also if it says none; `title`."""
    said = {"metadata": upload.metadata, "title": upload.title or document["title"]}
    return [name for name, value in said.items() if value != document[name]]


async def accept(connection: Transaction, upload: Upload, now: datetime) -> Accepted:
    """Take an upload; raises `CollectionNotFound` or `CollectionDeleting`."""
    await _enter_collection(connection, upload.job_owner.tenant, upload.collection)
    new = await _insert_document(connection, upload, now)
    if new is not None:
        return await _first(connection, upload, new, now)
    document = await _document(connection, upload)
    gone = document["deleted_at"] is not None or document["status"] == "deleting"
    if gone or document["sha256"] != upload.sha256:
        return await _new_revision(connection, upload, document, now)
    if document["status"] in ("failed", "cancelled") and await known(connection, upload, now) is None:
        return await _another_try(connection, upload, document, now)
    return Accepted(document, await live_job(connection, document["key"]), unchanged=True)


async def accept_unless_there(connection: Transaction, upload: Upload, n: int, now: datetime) -> Accepted | None:
    """Take a document as revision `n`, or as the next one where it was deleted; null if it is there with other bytes.

    One that is there with these bytes stays as it is. Raises `CollectionNotFound` or `CollectionDeleting`.
    """
    await _enter_collection(connection, upload.job_owner.tenant, upload.collection)
    new = await _insert_document(connection, upload, now)
    if new is not None:
        return await _queue(connection, upload, new, n, now)
    document = await _document(connection, upload)
    if document["deleted_at"] is not None or document["status"] == "deleting":
        return await _queue(connection, upload, document, max(n, document["revision"] + 1), now)
    if document["sha256"] != upload.sha256:
        return None
    return Accepted(document, await live_job(connection, document["key"]), unchanged=True)


async def may_be_known(database: Database, upload: Upload) -> bool:
    """Whether a document has this identity and these bytes: only then is it worth asking what is `known` of it."""
    same = {"tenant": upload.job_owner.tenant, "collection": upload.collection, "id": upload.id}
    return bool(await database.read(rows_of(_SAME_BYTES, {**same, "sha256": upload.sha256}), at_once=True))


async def known(connection: Transaction, upload: Upload, now: datetime) -> Accepted | None:
    """The document that these bytes already are, if `accept` would only say so: told by reading alone."""
    same = this_document(upload.job_owner.tenant, upload.collection, upload.id)
    fit = DOCUMENTS.c.status.in_(("queued", "processing", "ready")) | _still_unreadable(upload.media_type, now)
    fine = fit & DOCUMENTS.c.deleted_at.is_(None)
    here = (COLLECTIONS.c.tenant == upload.job_owner.tenant) & (COLLECTIONS.c.name == upload.collection)
    statement = (
        select(DOCUMENTS)
        .join(COLLECTIONS, here & COLLECTIONS.c.deletion_job.is_(None))
        .where(same, fine, DOCUMENTS.c.sha256 == upload.sha256)
    )
    document = (await connection.execute(statement)).mappings().one_or_none()
    if document is None:
        return None
    return Accepted(document, await live_job(connection, document["key"]), unchanged=True)


def _still_unreadable(media_type: str, now: datetime) -> ColumnElement[bool]:
    """True of a document whose bytes a parser could not read, if every worker that lives now reads as that one did.

    With none alive nobody knows how they will be read: they are tried again.
    """
    alive = select(WORKERS.c.id).where(WORKERS.c.seen_at > now - ALIVE)
    by = DOCUMENTS.c.unreadable_by
    alike, otherwise = alive.where(WORKERS.c.reading == by), alive.where(WORKERS.c.reading != by)
    return and_(
        DOCUMENTS.c.status == "failed",
        DOCUMENTS.c.media_type == media_type,
        alike.exists(),
        ~otherwise.exists(),
    )


async def _another_try(connection: Transaction, upload: Upload, document: RowMapping, now: datetime) -> Accepted:
    """The same revision again, unless chunks of it were sent: those were fenced off in the retriever since."""
    statement = select(REVISIONS.c.sent).where(
        REVISIONS.c.document_key == document["key"], REVISIONS.c.n == document["revision"]
    )
    if (await connection.execute(statement)).scalar_one_or_none() is not False:
        return await _new_revision(connection, upload, document, now)
    return await _queue(connection, upload, document, document["revision"], now)


async def _new_revision(connection: Transaction, upload: Upload, document: RowMapping, now: datetime) -> Accepted:
    of_it = (JOBS.c.document_key == document["key"]) & (JOBS.c.kind == "document")
    await end_live(connection, of_it, SUPERSEDED, now)  # deletions of what was before go on: they know their revision
    return await _queue(connection, upload, document, document["revision"] + 1, now)


async def _first(connection: Transaction, upload: Upload, document: RowMapping, now: datetime) -> Accepted:
    """Write the revision and the job of a document that has just been inserted."""
    await connection.execute(insert(REVISIONS).values(**_revision(upload, document["key"], 1, now)))
    return Accepted(document, await _insert_job(connection, upload, document["key"], 1, now), unchanged=False)


def _revision(upload: Upload, document_key: str, n: int, now: datetime) -> dict[str, Any]:
    return {
        "document_key": document_key,
        "n": n,
        "tenant": upload.job_owner.tenant,
        "status": "pending",
        "title_given": upload.title is not None,
        "blob_key": upload.blob_key,
        "created_at": now,
        **upload.facts(),
    }


async def _insert_job(connection: Transaction, upload: Upload, document_key: str, n: int, now: datetime) -> RowMapping:
    job = new_job("document", upload.job_owner, upload.collection, (document_key, upload.id, n), now)
    return (await connection.execute(insert(JOBS).values(**job).returning(*JOBS.c))).mappings().one()


async def _queue(connection: Transaction, upload: Upload, document: RowMapping, n: int, now: datetime) -> Accepted:
    """Write the revision, the document as it will be, and the job."""
    revision = _revision(upload, document["key"], n, now)
    if not await insert_if_absent(connection, REVISIONS, revision, [REVISIONS.c.document_key, REVISIONS.c.n]):
        same = (REVISIONS.c.document_key == document["key"]) & (REVISIONS.c.n == n)
        await connection.execute(update(REVISIONS).where(same).values(**revision, parsed=False))
        await delete_parts(connection, document["key"], n)
    again = document["deleted_at"] is not None or document["status"] == "deleting"
    shown = {
        **upload.facts(),
        "revision": n,
        "status": "queued",
        "error": None,
        "unreadable_by": None,
        "updated_at": now,
        "deleted_at": None,
        "created_at": now if again else document["created_at"],
        "active_revision": None if again else document["active_revision"],
        "chunks": 0 if again else document["chunks"],
        "pages": None if again else document["pages"],
        "unread_pages": None if again else document["unread_pages"],
    }
    statement = update(DOCUMENTS).where(DOCUMENTS.c.key == document["key"]).values(**shown).returning(*DOCUMENTS.c)
    written = (await connection.execute(statement)).mappings().one()
    if upload.job_owner.grant is not None:  # the newest permission is the one that lasts longest
        ending = (JOBS.c.document_key == document["key"]) & (JOBS.c.kind != "document") & JOBS.c.status.in_(LIVE)
        await connection.execute(update(JOBS).where(ending).values(grant_token=upload.job_owner.grant))
    return Accepted(written, await _insert_job(connection, upload, document["key"], n, now), unchanged=False)


async def _enter_collection(connection: Transaction, tenant: str, name: str) -> None:
    here = (COLLECTIONS.c.tenant == tenant) & (COLLECTIONS.c.name == name)
    entered = (
        update(COLLECTIONS)
        .where(here, COLLECTIONS.c.deletion_job.is_(None))
        .values(uploads=COLLECTIONS.c.uploads + 1)
        .returning(COLLECTIONS.c.name)
    )
    if (await connection.execute(entered)).first() is not None:
        return
    if (await connection.execute(select(COLLECTIONS.c.name).where(here))).first() is not None:
        raise CollectionDeleting(name)
    raise CollectionNotFound(name)


async def _insert_document(connection: Transaction, upload: Upload, now: datetime) -> RowMapping | None:
    """The row of a document that is new, else null."""
    values = {
        "key": new_id("doc"),
        "tenant": upload.job_owner.tenant,
        "collection": upload.collection,
        "id": upload.id,
        "revision": 1,
        "status": "queued",
        "created_at": now,
        "updated_at": now,
        **upload.facts(),
    }
    unique = [DOCUMENTS.c.tenant, DOCUMENTS.c.collection, DOCUMENTS.c.id]
    return await insert_returning(connection, DOCUMENTS, values, unique, DOCUMENTS.c)


async def _document(connection: Transaction, upload: Upload) -> RowMapping:
    same = this_document(upload.job_owner.tenant, upload.collection, upload.id)
    return (await connection.execute(select(DOCUMENTS).where(same).with_for_update())).mappings().one()


async def live_job(connection: Transaction, document_key: str) -> RowMapping | None:
    """The document's job that is not over, if there is one."""
    statement = select(JOBS).where(
        JOBS.c.document_key == document_key, JOBS.c.kind == "document", JOBS.c.status.in_(LIVE)
    )
    return (await connection.execute(statement)).mappings().one_or_none()
