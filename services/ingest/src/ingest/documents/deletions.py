"""Deleting a document or a whole collection, or taking out what a cancelled job has sent, step by step.

Each is a job in the ledger. The call that asks for it holds the job's lease and does the work at once; if it is cut
short, a worker takes the job over when the lease has expired (with the grant that the call carried), and another DELETE
may do so at once. Each step asks first whether the deletion is still its own, so that a late one removes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, RowMapping, delete, insert, or_, select, update

from contracts.documents.documents import Failure
from ingest.blobs.references import delete_unreferenced
from ingest.documents.repository import get_document
from ingest.jobs.lifecycle import DELETED, JobKind, end_live, new_job
from ingest.jobs.reindexes import removal_job
from ingest.parts.repository import delete_revisions
from ingest.ports import BlobStore, Index
from ingest.tables import COLLECTIONS, DOCUMENTS, JOBS, REVISIONS
from servicekit.core.clock import Clock
from servicekit.core.errors import ServiceError
from servicekit.jobs.leases import Lease, LeaseLost, Leases
from servicekit.jobs.tables import JobOwner
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction
from servicekit.sql.upserts import insert_if_absent

log = structlog.get_logger(__name__)
RETRY_SECONDS = 2.0
INDEX_SECONDS = 60.0
COLLECTION_DELETED = Failure(code="deleted", message="The collection was deleted.", retryable=False)


@dataclass(frozen=True, slots=True)
class Deletions:
    """Deletes what it is told to, in the index first, so that nothing deleted is found while the rest goes."""

    database: Database
    blobs: BlobStore
    index: Index
    clock: Clock
    owner: str
    lease_seconds: float = INDEX_SECONDS
    """How far a step pushes its lease; in a worker, whose heartbeats do so too, as far as those."""

    @property
    def _leases(self) -> Leases:
        return Leases(JOBS, self.clock, timedelta(seconds=self.lease_seconds))

    async def delete_document(self, job_owner: JobOwner, token: str, collection: str, document_id: str) -> None:
        """Gone from search when this returns; raises `DocumentNotFound`."""
        async with self.database.write() as connection:
            row = await get_document(connection, job_owner.tenant, collection, document_id)
            await end_live(connection, JOBS.c.document_key == row["key"], DELETED, self.clock.now())
            await connection.execute(
                update(DOCUMENTS)
                .where(DOCUMENTS.c.key == row["key"], DOCUMENTS.c.revision == row["revision"])
                .values(status="deleting", updated_at=self.clock.now())
            )
            about = (row["key"], row["id"], row["revision"])
            lease = await self._begin(connection, "document_deletion", job_owner, collection, about)
        await self._now(lease, token)

    async def delete_collection(self, job_owner: JobOwner, token: str, name: str) -> None:
        """Gone from search when this returns. Deleting what is not there is no error here; the index knows."""
        here = _collection(job_owner.tenant, name)
        async with self.database.write() as connection:
            unique = [COLLECTIONS.c.tenant, COLLECTIONS.c.name]
            await insert_if_absent(connection, COLLECTIONS, {"tenant": job_owner.tenant, "name": name}, unique)
            of_it = (JOBS.c.tenant == job_owner.tenant) & (JOBS.c.collection == name)
            await end_live(connection, of_it, COLLECTION_DELETED, self.clock.now())
            lease = await self._begin(connection, "collection_deletion", job_owner, name, None)
            await connection.execute(update(COLLECTIONS).where(here).values(deletion_job=lease.id))
        await self._now(lease, token)

    async def begin_cleanup(self, connection: Transaction, job: RowMapping) -> Lease:
        """Make it certain that what a cancelled job has sent, or built, will be taken out of the index."""
        job_owner = JobOwner(job["tenant"], job["grant_key_id"], job["request_id"], job["grant_token"])
        if job["kind"] == "reindex":
            return await self._insert(connection, removal_job(dict(job), self.clock.now()))
        about = (job["document_key"], job["document_id"], job["revision"])
        return await self._begin(connection, "withdrawal", job_owner, job["collection"], about)

    async def cleanup(self, lease: Lease, token: str) -> None:
        """Take it out now, or leave it to a worker while the index is away."""
        try:
            await self._now(lease, token)
        except ServiceError as error:
            log.warning("cleanup is left to a worker", cleanup_lease=lease.id, error=error.message)

    async def carry_out(self, job: Mapping[str, Any], lease: Lease, token: str) -> None:
        """Do (the rest of) a deletion job and finish it."""
        if job["kind"] == "collection_deletion":
            await self._collection_steps(job, lease, token)
        elif job["kind"] == "shadow_removal":
            await self.index.abandon_shadow(token, job["collection"], job["details"]["key"])
        else:
            await self.index.delete_document(token, job["collection"], job["document_id"], job["revision"])
        if job["kind"] == "document_deletion":
            await self._remove_document(job, lease)
        async with self.database.write() as connection:
            done = {"status": "ready", "stage": "done", "progress": 1.0, "finished_at": self.clock.now()}
            await self._leases.release(connection, lease, {**done, "grant_token": None})

    async def _begin(
        self,
        connection: Transaction,
        kind: JobKind,
        job_owner: JobOwner,
        collection: str,
        document: tuple[str, str, int] | None,
    ) -> Lease:
        return await self._insert(connection, new_job(kind, job_owner, collection, document, self.clock.now()))

    async def _insert(self, connection: Transaction, row: Mapping[str, Any]) -> Lease:
        now = self.clock.now()
        job = dict(row) | {
            "status": "running",
            "stage": "indexing",
            "started_at": now,
            "claimed_at": now,
            "lease_owner": self.owner,
            "lease_expires_at": now + timedelta(seconds=INDEX_SECONDS),
            "fence": 1,
            "attempts": 1,
        }
        await connection.execute(insert(JOBS).values(**job))
        return Lease(job["id"], self.owner, 1)

    async def _now(self, lease: Lease, token: str) -> None:
        job = await self.database.read(
            lambda connection: connection.execute(select(JOBS).where(JOBS.c.id == lease.id)).mappings().one()
        )
        async with self._handed_on_if_cut_short(lease):
            try:
                await self.carry_out(dict(job), lease, token)
            except LeaseLost:
                log.info("deletion was taken over", deletion=lease.id)

    @asynccontextmanager
    async def _handed_on_if_cut_short(self, lease: Lease) -> Any:
        """Let a worker finish what failed here; the caller learns of the failure all the same."""
        finished = False
        try:
            yield
            finished = True
        finally:
            if not finished:
                later = self.clock.now() + timedelta(seconds=RETRY_SECONDS)
                await self.database.write(
                    lambda connection: connection.execute(
                        update(JOBS)
                        .where(self._leases.held(lease), JOBS.c.status == "running")
                        .values(status="queued", lease_owner=None, lease_expires_at=None, not_before=later)
                    )
                )

    async def hold(self, connection: Transaction, lease: Lease) -> None:
        """Begin a step: raises `LeaseLost` if another took the deletion over, so that a late one removes nothing."""
        await self._leases.renew(connection, lease)

    async def _remove_document(self, job: Mapping[str, Any], lease: Lease) -> None:
        of_it = (REVISIONS.c.document_key == job["document_key"]) & (REVISIONS.c.n <= job["revision"])
        async with self.database.write() as connection:
            await self.hold(connection, lease)
            gone = await delete_revisions(connection, of_it)
            await connection.execute(
                update(DOCUMENTS)
                .where(
                    DOCUMENTS.c.key == job["document_key"],
                    DOCUMENTS.c.revision == job["revision"],
                    DOCUMENTS.c.status == "deleting",
                )
                .values(deleted_at=self.clock.now(), active_revision=None, chunks=0, metadata={}, error=None)
            )
        await delete_unreferenced(self.database, self.blobs, job["tenant"], gone)

    async def _collection_steps(self, job: Mapping[str, Any], lease: Lease, token: str) -> None:
        tenant, name = job["tenant"], job["collection"]
        await self.empty_collection(tenant, name, lease, token)
        async with self.database.write() as connection:
            await self.hold(connection, lease)
            here = _collection(tenant, name)
            await connection.execute(delete(COLLECTIONS).where(here, COLLECTIONS.c.deletion_job == job["id"]))

    async def empty_collection(self, tenant: str, name: str, lease: Lease, token: str) -> None:
        """Remove a collection from the index, then its documents with their bytes; its own row stays."""
        await self.index.delete_collection(token, name)
        keys = select(DOCUMENTS.c.key).where(DOCUMENTS.c.tenant == tenant, DOCUMENTS.c.collection == name)
        while gone := await self._some_revisions(keys, lease):
            await delete_unreferenced(self.database, self.blobs, tenant, gone)
        async with self.database.write() as connection:
            await self.hold(connection, lease)
            of_it = (DOCUMENTS.c.tenant == tenant) & (DOCUMENTS.c.collection == name)
            await connection.execute(delete(DOCUMENTS).where(of_it))

    async def _some_revisions(self, documents: Any, lease: Lease) -> set[str]:
        """Delete the rows of up to 100 documents' revisions and return the keys of their blobs."""
        some = select(REVISIONS.c.document_key).where(REVISIONS.c.document_key.in_(documents)).distinct().limit(100)
        async with self.database.write() as connection:
            await self.hold(connection, lease)
            return await delete_revisions(connection, REVISIONS.c.document_key.in_(some))


def _collection(tenant: str, name: str) -> ColumnElement[bool]:
    return (COLLECTIONS.c.tenant == tenant) & (COLLECTIONS.c.name == name)


async def late_deletion_possible(connection: Transaction, tenant: str, name: str, now: datetime) -> bool:
    """Whether the index may yet be told to delete this collection: by a deletion that another one overtook.

    The index knows collections by name, so the name is not free again until such a call would have been given up.
    """
    overtaken = or_(JOBS.c.status == "cancelled", JOBS.c.attempts > 1)
    statement = select(JOBS.c.id).where(
        JOBS.c.tenant == tenant,
        JOBS.c.collection == name,
        JOBS.c.kind == "collection_deletion",
        overtaken,
        JOBS.c.finished_at > now - timedelta(seconds=INDEX_SECONDS),
    )
    return (await connection.execute(statement.limit(1))).first() is not None
