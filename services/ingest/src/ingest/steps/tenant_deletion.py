"""Carrying out the deletion of a tenant, step by step: each may be repeated, and a worker that dies leaves the rest.

Its keys are revoked before the job begins, so that nothing new comes in. Calls that were under way by then may still
write for a while. So everything is gone through at once, and again when the longest of them must be over; only then do
the other services remove what they have, and last the gateway the tenant itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import delete, select

from ingest.documents.deletions import COLLECTION_DELETED, Deletions
from ingest.jobs.lifecycle import end_live
from ingest.jobs.outcomes import ServiceAway
from ingest.ports import Platform
from ingest.tables import BACKUP_LOCK, COLLECTIONS, DOCUMENTS, IDEMPOTENCY, JOBS, TENANT_DELETIONS
from servicekit.backup.lock import BackupLock
from servicekit.jobs.leases import Lease, Leases

log = structlog.get_logger(__name__)
PAGE = 100
ROWS = 1000


@dataclass(frozen=True, slots=True)
class TenantDeletion:
    """Removes all that a tenant owns, here and elsewhere."""

    deletions: Deletions
    platform: Platform
    open_calls_seconds: float

    async def carry_out(self, job: Mapping[str, Any], lease: Lease, token: str) -> None:
        """One pass over everything, and the end if it is time; raises `ServiceAway` while it must wait."""
        database, clock = self.deletions.database, self.deletions.clock
        tenant, key_ids = job["details"]["tenant"], job["details"]["key_ids"]
        if await BackupLock(BACKUP_LOCK, database).is_held():
            raise ServiceAway("backup", None)  # it may have to read what is to go
        await self._documents(job, tenant, lease, token)
        await self._rows(tenant, key_ids, lease)
        await self.deletions.blobs.remove_tenant(tenant)
        over = job["created_at"] + timedelta(seconds=self.open_calls_seconds)
        if (left := (over - clock.now()).total_seconds()) > 0:
            raise ServiceAway("open_calls", left)
        await self.deletions.index.delete_tenant(token, tenant)
        await self.platform.delete_tenant(token, tenant)
        await self._finish(job, tenant, lease)
        await database.clean()

    async def _documents(self, job: Mapping[str, Any], tenant: str, lease: Lease, token: str) -> None:
        """Every collection, in the index first, so that nothing deleted is found while the rest goes."""
        database = self.deletions.database
        async with database.write() as connection:
            await self.deletions.hold(connection, lease)
            await end_live(connection, JOBS.c.tenant == tenant, COLLECTION_DELETED, self.deletions.clock.now())
            known = select(COLLECTIONS.c.name).where(COLLECTIONS.c.tenant == tenant)
            names = set((await connection.execute(known)).scalars())
        cursor: str | None = None
        while True:
            page = await self.deletions.index.list_collections(token, PAGE, cursor)
            names.update(collection.name for collection in page.data)
            if (cursor := page.next_cursor) is None:
                break
        for name in sorted(names):
            await self.deletions.empty_collection(tenant, name, lease, token)
            async with database.write() as connection:
                await self.deletions.hold(connection, lease)
                here = (COLLECTIONS.c.tenant == tenant) & (COLLECTIONS.c.name == name)
                await connection.execute(delete(COLLECTIONS).where(here))

    async def _rows(self, tenant: str, key_ids: Sequence[str], lease: Lease) -> None:
        """What is left of ended jobs, of documents without a collection, and of kept answers."""
        answers = IDEMPOTENCY.c.key_id
        async with self.deletions.database.write() as connection:
            await self.deletions.hold(connection, lease)
            for first in range(0, len(key_ids), ROWS):
                await connection.execute(delete(IDEMPOTENCY).where(answers.in_(key_ids[first : first + ROWS])))
            await connection.execute(delete(DOCUMENTS).where(DOCUMENTS.c.tenant == tenant))
        some = select(JOBS.c.id).where(JOBS.c.tenant == tenant).limit(ROWS)
        while True:
            async with self.deletions.database.write() as connection:
                await self.deletions.hold(connection, lease)
                gone = await connection.execute(delete(JOBS).where(JOBS.c.id.in_(some)).returning(JOBS.c.id))
                if len(gone.all()) < ROWS:
                    return

    async def _finish(self, job: Mapping[str, Any], tenant: str, lease: Lease) -> None:
        """The job stays as a row that names nobody."""
        now = self.deletions.clock.now()
        done = {"status": "ready", "stage": "done", "progress": 1.0, "finished_at": now, "details": None}
        async with self.deletions.database.write() as connection:
            leases = Leases(JOBS, self.deletions.clock, timedelta(0))
            await leases.release(connection, lease, {**done, "grant_token": None})
            await connection.execute(delete(TENANT_DELETIONS).where(TENANT_DELETIONS.c.tenant == tenant))
        log.info("tenant deleted")
