"""The queue of one kind of job, from a worker's side: claiming fairly, renewing, requeueing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Generic

from sqlalchemy import bindparam, func, select, update

from servicekit.jobs.events import Event
from servicekit.jobs.fairness import next_job
from servicekit.jobs.kind import Job, JobKind
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.leases import Lease
from servicekit.jobs.outcomes import Cancel, Cancelled
from servicekit.jobs.tables import NOW, OWNER
from servicekit.sql.database import UtcTime, rows_of


class Queue(Generic[Job]):
    """Jobs that wait, and those that are at work."""

    def __init__(self, store: JobStore, kind: JobKind[Job], tenant_slots: int | None = None) -> None:
        """`tenant_slots`: how many jobs of one tenant a worker holds at most."""
        self.store = store
        self.kind = kind
        columns, jobs = store.jobs.table.c, store.jobs
        failed = columns[jobs.failed_attempts]
        values = {
            "status": "running",
            "lease_owner": OWNER,
            "lease_expires_at": bindparam("expires", type_=UtcTime),
            "fence": columns.fence + 1,
            "attempts": columns.attempts + 1,
            failed.name: failed + 1,
            "claimed_at": NOW,
            "started_at": func.coalesce(columns.started_at, NOW),
            "waiting_on": None,
            **kind.claiming(),
        }
        here = columns.id == next_job(jobs, tenant_slots).scalar_subquery(), jobs.due(columns)
        self._claim = update(jobs.table).where(*here).values(values).returning(*columns)  # built once: it costs 1 ms
        self._flag = None
        if jobs.can_be_flagged:
            self._flag = select(columns.cancel_requested).where(columns.id == bindparam("id"))

    async def claim(self, owner: str) -> Job | None:
        """The next job, held by `owner` until its lease ends; None if none is due. A dead worker's job is due, too."""
        store = self.store
        async with store.database.write() as connection:
            now = store.clock.now()
            given = {"now": now, "owner": owner, "expires": now + timedelta(seconds=store.lease_seconds)}
            row = (await connection.execute(self._claim, given)).mappings().one_or_none()
            if row is None:
                return None
            return await self.kind.load(connection, store, Lease(row["id"], owner, row["fence"]), dict(row))

    async def renew(self, job: Job) -> bool:
        """A heartbeat; whether somebody asked for the job to end. Raises `LeaseLost`."""
        expires = self.store.clock.now() + timedelta(seconds=self.store.lease_seconds)
        async with self.store.database.write() as connection:
            row = await self.store.leases.write(connection, job.lease, {"lease_expires_at": expires})
        return bool(row.get("cancel_requested"))

    async def cancel_requested(self, job: Job) -> bool:
        """Whether somebody asked for the job to end."""
        if self._flag is None:
            return False
        rows = await self.store.database.read(rows_of(self._flag, {"id": job.id}))
        return bool(rows and rows[0]["cancel_requested"])

    async def requeue(
        self,
        job: Job,
        seconds: float = 0.0,
        waiting_on: str | None = None,
        *,
        count_attempt: bool = False,
        behind: bool = False,
    ) -> None:
        """Queue the job again after `seconds`, where it was or `behind` those that wait already."""
        now = self.store.clock.now()
        values: dict[str, Any] = {
            "status": "queued",
            "not_before": now + timedelta(seconds=seconds),
            "waiting_on": waiting_on,
        }
        if not count_attempt:
            values |= self.store.jobs.uncounted(job.row)
            if waiting_on is not None:
                values["waiting_since"] = job.row["waiting_since"] or now
        if behind:
            values["queued_at"] = now
        await self.release(job, values)

    async def release(self, job: Job, values: Mapping[str, Any], *events: Event) -> None:
        """Let go of a job that is not over. One whose cancel was accepted meanwhile ends here: nobody else does."""
        try:
            async with job.releasing(values, *events, unless_cancelled=True):
                pass
        except Cancelled:
            await self.kind.end(job, Cancel())
