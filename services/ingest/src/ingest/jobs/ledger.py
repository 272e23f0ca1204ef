"""The ledger from a worker's side: claiming fairly, writing progress under the fence, and ending a job.

Every write goes through the lease, so that a worker that lost its job changes nothing; document and revision rows
change in the same transaction, after the job's row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from contracts.documents import Failure
from contracts.indexing import Committed
from ingest.jobs.cleanup import queue_cleanup
from ingest.jobs.leased_job import Work
from ingest.jobs.lifecycle import LIVE, set_document
from ingest.jobs.reindexes import removal_job
from ingest.parts.files import Part
from ingest.parts.repository import delete_parts, delete_revisions, list_parts
from ingest.ports import Kept
from ingest.tables import DOCUMENTS, JOBS, PARTS, REVISIONS, WORKERS
from servicekit.core.clock import Clock
from servicekit.jobs.leases import Leases
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction
from servicekit.sql.upserts import insert_if_absent

_FIRST_STAGE = case(
    (JOBS.c.kind == "reindex", "copying"), (JOBS.c.kind == "tenant_deletion", "deleting"), else_="parsing"
)
WORKER_FORGOTTEN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Ledger:
    """One database's jobs, claimed for `lease_seconds` at a time."""

    database: Database
    clock: Clock
    lease_seconds: float

    @property
    def leases(self) -> Leases:
        """The jobs' leases."""
        return Leases(JOBS, self.clock, timedelta(seconds=self.lease_seconds))

    async def claim(self, owner: str) -> Work | None:
        """The next job: of the tenant with the fewest running, then least recently served, its oldest."""
        async with self.database.write() as connection:
            now = self.clock.now()
            values = {
                "status": "running",
                "stage": case((JOBS.c.stage == "queued", _FIRST_STAGE), else_=JOBS.c.stage),
                "claimed_at": now,
                "started_at": func.coalesce(JOBS.c.started_at, now.timestamp()),
                "strikes": JOBS.c.strikes + 1,
                "waiting_on": None,
            }
            claimed = await self.leases.claim(connection, self._next(now), owner, values)
            if claimed is None:
                return None
            lease, row = claimed
            revision = None
            if row["kind"] == "document":
                shown = {"status": "processing", "updated_at": now}
                await set_document(connection, row["document_key"], row["revision"], ("queued",), shown)
                found = select(REVISIONS).where(_revision(dict(row)))
                revision = (await connection.execute(found)).mappings().one_or_none()
        return Work(lease, dict(row), dict(revision) if revision else {})

    async def renew(self, work: Work) -> None:
        """A heartbeat; raises `LeaseLost`."""
        async with self.database.write() as connection:
            await self.leases.renew(connection, work.lease)

    async def progress(
        self, work: Work, job: Mapping[str, Any], revision: Mapping[str, Any] | None = None, *, achieved: bool = True
    ) -> None:
        """Write how far it is; where something was achieved, that ends any wait and forgives earlier attempts."""
        forgiven = {"strikes": 1, "waiting_since": None} if achieved else {}
        await self._write(work, {**job, **forgiven}, revision)

    async def others_wait(self, work: Work) -> bool:
        """Whether another job is due that no worker has."""
        others = select(JOBS.c.id).where(due(JOBS.c, self.clock.now()), JOBS.c.id != work.lease.id)
        return await self.database.read(lambda connection: connection.execute(others.limit(1)).first() is not None)

    async def reindexed(self, work: Work) -> None:
        """The collection's new generation serves."""
        done = {"status": "ready", "stage": "done", "progress": 1.0, "finished_at": self.clock.now(), "error": None}
        async with self.database.write() as connection:
            await self.leases.release(connection, work.lease, {**done, "timings": work.timings, "grant_token": None})

    async def parts(self, work: Work) -> list[Part]:
        """What is read of the revision; nothing is asked where nothing was entered."""
        if work.revision["chunks"] is None:
            return []
        async with self.database.read() as connection:
            return await list_parts(connection, work.job["document_key"], work.job["revision"])

    async def add_part(self, work: Work, part: Part, facts: Mapping[str, Any], kept: Kept) -> None:
        """Write that a part was read and cut, what was found out about the document, and that it is being sent."""
        about = {"document_key": work.job["document_key"], "n": work.job["revision"], "tenant": work.job["tenant"]}
        row = insert(PARTS).values(**about, **asdict(part))

        async def named(connection: Transaction) -> None:
            await connection.execute(row)
            await kept.confirm(connection)

        values = {"stage": "indexing", "strikes": 1, "waiting_since": None, "pages_total": facts["pages"]}
        await self._write(work, values, {**facts, "sent": True}, also=named)

    async def sending(self, work: Work) -> None:
        """Say that a revision is being sent, where reading it has not: it was read for an earlier one, or restored."""
        if not work.revision["sent"]:
            await self._write(work, {"stage": "indexing"}, {"sent": True})

    async def _write(
        self,
        work: Work,
        job: Mapping[str, Any],
        revision: Mapping[str, Any] | None,
        also: Callable[[Transaction], Awaitable[None]] | None = None,
    ) -> None:
        async with work.writing, self.database.write() as connection:
            now = self.clock.now()
            expires = now + timedelta(seconds=self.lease_seconds)
            values = {**job, "timings": work.timings, "lease_expires_at": expires}
            work.job = dict(await self.leases.write(connection, work.lease, values))
            if also is not None:
                await also(connection)
            if revision:
                work.revision |= revision
                await connection.execute(update(REVISIONS).where(_revision(work.job)).values(**revision))
                shown = {name: revision[name] for name in ("pages", "unread_pages", "title") if name in revision}
                if shown:
                    about = (work.job["document_key"], work.job["revision"], ("queued", "processing"))
                    await set_document(connection, *about, {**shown, "updated_at": now})

    async def ready(self, work: Work, committed: Committed) -> None:
        """The revision is the active one."""
        now, job = self.clock.now(), work.job
        pages = work.revision.get("pages")
        values = {"status": "ready", "stage": "done", "progress": 1.0, "pages_done": pages or 0, "finished_at": now}
        values["chunks_done"] = committed.chunks
        async with self.database.write() as connection:
            kept = {**values, "timings": work.timings, "grant_token": None, "error": None}
            await self.leases.release(connection, work.lease, kept)
            await connection.execute(
                update(REVISIONS).where(_revision(job)).values(status="committed", chunks=committed.chunks)
            )
            active = {"active_revision": job["revision"], "chunks": committed.chunks, "updated_at": now}
            newer = or_(DOCUMENTS.c.active_revision.is_(None), DOCUMENTS.c.active_revision < job["revision"])
            here = and_(DOCUMENTS.c.key == job["document_key"], DOCUMENTS.c.deleted_at.is_(None), newer)
            await connection.execute(update(DOCUMENTS).where(here).values(**active))
            done = {"status": "ready", "error": None, "pages": pages, "unread_pages": work.revision["unread_pages"]}
            about = (job["document_key"], job["revision"], ("queued", "processing"))
            await set_document(connection, *about, done)

    async def committed_after_all(self, work: Work, committed: Committed) -> None:
        """The index made the revision the active one, but the job was ended meanwhile: say what is true.

        Not where the document was deleted or what was sent was withdrawn: that ends the revision in the index, too.
        """
        key, n = work.job["document_key"], work.job["revision"]
        ending = JOBS.alias()
        gone = (
            select(ending.c.id)
            .where(ending.c.document_key == key, ending.c.kind.in_(("withdrawal", "document_deletion")))
            .where(ending.c.revision >= n)
        )
        older = or_(DOCUMENTS.c.active_revision.is_(None), DOCUMENTS.c.active_revision < n)
        here = and_(DOCUMENTS.c.key == key, DOCUMENTS.c.deleted_at.is_(None), older, ~gone.exists())
        async with self.database.write() as connection:
            active = {"active_revision": n, "chunks": committed.chunks}
            changed = update(DOCUMENTS).where(here).values(**active).returning(DOCUMENTS.c.key)
            if (await connection.execute(changed)).first() is not None:
                told = {"status": "committed", "chunks": committed.chunks}
                await connection.execute(update(REVISIONS).where(_revision(work.job)).values(**told))

    async def failed(self, work: Work, failure: Failure, unreadable_by: str | None = None) -> None:
        """Give up, for a reason that the document shows, too. The grant goes: a retry by hand brings its own.

        `unreadable_by` is the reading version of a parser that can't read these bytes, however often it tries.
        """
        now, job = self.clock.now(), work.job
        values = {"status": "failed", "error": failure.model_dump(), "finished_at": now, "timings": work.timings}
        async with self.database.write() as connection:
            await self.leases.release(connection, work.lease, {**values, "grant_token": None})
            await queue_cleanup(connection, job, now)
            if job["kind"] == "reindex":
                await connection.execute(insert(JOBS).values(**removal_job(job, now)))
            if job["kind"] == "document":
                shown = {"status": "failed", "error": failure.model_dump(), "updated_at": now}
                about = (job["document_key"], job["revision"], ("queued", "processing"))
                await set_document(connection, *about, {**shown, "unreadable_by": unreadable_by})

    async def superseded(self, work: Work, why: Failure) -> None:
        """The index refuses the revision: a newer one is there, or the document is gone."""
        now, job = self.clock.now(), work.job
        values = {"status": "cancelled", "error": why.model_dump(), "finished_at": now, "timings": work.timings}
        async with self.database.write() as connection:
            await self.leases.release(connection, work.lease, {**values, "grant_token": None})
            about = (job["document_key"], job["revision"], ("queued", "processing"))
            await set_document(connection, *about, {"status": "cancelled", "updated_at": now})

    async def put_back(
        self, work: Work, seconds: float, waiting_on: str | None, *, blameless: bool, behind: bool = False
    ) -> None:
        """Queue the job again after `seconds`, `behind` those that wait already or where it was.

        A blameless return is not counted as an attempt.
        """
        now = self.clock.now()
        values: dict[str, Any] = {
            "status": "queued",
            "not_before": now + timedelta(seconds=seconds),
            "waiting_on": waiting_on,
            "timings": work.timings,
        }
        if blameless:
            values |= {"attempts": JOBS.c.attempts - 1, "strikes": JOBS.c.strikes - 1}
        if behind:
            values["queued_at"] = now
        if waiting_on is not None:
            values["waiting_since"] = func.coalesce(JOBS.c.waiting_since, now.timestamp())
        async with self.database.write() as connection:
            await self.leases.release(connection, work.lease, values)

    async def restart_sending(self, work: Work) -> None:
        """The index lost chunks that it had acknowledged: send all of them again."""
        again = {"chunks_done": 0, "stage": "indexing", "restarts": JOBS.c.restarts + 1}
        async with self.database.write() as connection:
            work.job = dict(await self.leases.write(connection, work.lease, again))

    async def restart_reading(self, work: Work) -> set[str]:
        """The collection wants its documents cut otherwise by now: read and cut the revision again.

        Returns the keys of blobs that may be needed by nobody now.
        """
        again = {"chunks_done": 0, "stage": "parsing", "progress": 0.0, "restarts": JOBS.c.restarts + 1}
        unread = {"parsed": False, "chunks": None, "layout": None}
        async with self.database.write() as connection:
            work.job = dict(await self.leases.write(connection, work.lease, again))
            await connection.execute(update(REVISIONS).where(_revision(work.job)).values(**unread))
            return await delete_parts(connection, work.job["document_key"], work.job["revision"])

    async def prune(self, work: Work, kept: int) -> set[str]:
        """Delete committed revisions but the newest `kept`, and uncommitted earlier ones; the keys of their blobs."""
        key, active = work.job["document_key"], work.job["revision"]
        if active == 1:
            return set()
        of_it = and_(REVISIONS.c.document_key == key, REVISIONS.c.n <= active)
        keep = (
            select(REVISIONS.c.n)
            .where(of_it, REVISIONS.c.status == "committed")
            .order_by(REVISIONS.c.n.desc())
            .limit(kept)
        )
        async with self.database.write() as connection:
            return await delete_revisions(connection, and_(of_it, REVISIONS.c.n.not_in(keep)))

    async def announce(self, owner: str, slots: int, reading: str, started_at: datetime) -> None:
        """Say that a worker lives and how it reads, and forget those long silent."""
        now = self.clock.now()
        row = {"id": owner, "slots": slots, "reading": reading, "started_at": started_at, "seen_at": now}
        async with self.database.write() as connection:
            if not await insert_if_absent(connection, WORKERS, row, [WORKERS.c.id]):
                await connection.execute(update(WORKERS).where(WORKERS.c.id == owner).values(seen_at=now))
            await connection.execute(delete(WORKERS).where(WORKERS.c.seen_at < now - WORKER_FORGOTTEN))

    async def sign_off(self, owner: str) -> None:
        """The worker ends."""
        await self.database.write(lambda connection: connection.execute(delete(WORKERS).where(WORKERS.c.id == owner)))

    def _next(self, now: datetime) -> Select[tuple[str]]:
        return (
            select(JOBS.c.id)
            .where(due(JOBS.c, now), self.leases.claimable(), JOBS.c.tenant == _turn(now))
            .order_by(JOBS.c.queued_at, JOBS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )


_DUE, _RUNNING, _SERVED = JOBS.alias("due"), JOBS.alias("running"), JOBS.alias("served")  # making one costs 1 ms


def _turn(now: datetime) -> Any:
    """The tenant whose turn it is."""
    jobs, running, served = _DUE, _RUNNING, _SERVED
    count = (
        select(func.count())
        .where(running.c.tenant == jobs.c.tenant, running.c.status == "running", running.c.lease_expires_at >= now)
        .scalar_subquery()
    )
    last = select(func.max(served.c.claimed_at)).where(served.c.tenant == jobs.c.tenant).scalar_subquery()
    return (
        select(jobs.c.tenant)
        .where(due(jobs.c, now))
        .group_by(jobs.c.tenant)
        .order_by(count, func.coalesce(last, literal_column("0")), func.min(jobs.c.queued_at))
        .limit(1)
        .scalar_subquery()
    )


def due(columns: Any, now: datetime) -> ColumnElement[bool]:
    """True of jobs that a worker may claim now."""
    free = or_(columns.lease_expires_at.is_(None), columns.lease_expires_at < now)
    time_has_come = or_(columns.not_before.is_(None), columns.not_before <= now)
    return and_(columns.status.in_(LIVE), columns.grant_token.is_not(None), free, time_has_come)


def _revision(job: Mapping[str, Any]) -> ColumnElement[bool]:
    return and_(REVISIONS.c.document_key == job["document_key"], REVISIONS.c.n == job["revision"])
