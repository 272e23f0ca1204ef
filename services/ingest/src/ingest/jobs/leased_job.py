"""A job while a worker holds it: its revision, what its stages took, and all that it writes under its fence.

Document and revision rows change in the same transaction as the job's row, after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, or_, select, update

from contracts.documents.documents import Failure
from contracts.retrieval.chunks import Committed
from ingest.jobs.cleanup import queue_cleanup
from ingest.jobs.lifecycle import set_document
from ingest.jobs.reindexes import removal_job
from ingest.parts.files import Part
from ingest.parts.repository import delete_parts, delete_revisions, list_parts
from ingest.ports import Kept
from ingest.tables import DOCUMENTS, JOBS, PARTS, REVISIONS
from servicekit.jobs.leased_job import NOTHING, JobStore, LeasedJob
from servicekit.jobs.leases import Lease
from servicekit.sql.transaction import Transaction
from servicekit.telemetry.spans import span

DONE = {"status": "ready", "stage": "done", "progress": 1.0, "grant_token": None, "error": None}
_UNDER_WAY = ("queued", "processing")


class IngestJob(LeasedJob):
    """A claimed job of ingest's, of whatever kind."""

    def __init__(
        self, store: JobStore, lease: Lease, row: Mapping[str, Any], revision: Mapping[str, Any] = NOTHING
    ) -> None:
        """`revision` is the row of the document's revision; empty for jobs without one."""
        super().__init__(store, lease, row)
        self.revision = dict(revision)
        self.layout = 1
        """The retriever's number for the way in which the collection wants documents cut."""
        self.embedding_model = ""
        """The collection's."""
        self.is_staged = False
        """Whether a generation is being built for which the document is cut otherwise, too."""
        self.timings: dict[str, float] = dict(row["timings"] or {})
        """Milliseconds by stage, over all attempts."""
        self._stages: dict[str, tuple[int, float]] = {}
        """How many blocks of a stage are open, and up to when its time is counted."""

    def carried(self) -> Mapping[str, Any]:
        """What the stages took until now."""
        return {"timings": dict(self.timings)}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the block's time to a stage; time that several blocks of a stage share counts once."""
        open_blocks, counted = self._stages.get(stage, (0, 0.0))
        self._stages[stage] = (open_blocks + 1, counted if open_blocks else time.perf_counter())
        try:
            with span(stage):
                yield
        finally:
            open_blocks, counted = self._stages[stage]
            now = time.perf_counter()
            self._stages[stage] = (open_blocks - 1, now)
            self.timings[stage] = round(self.timings.get(stage, 0.0) + (now - counted) * 1000, 1)

    async def list_parts(self) -> list[Part]:
        """What is read of the revision; nothing is asked where nothing was entered."""
        if self.revision["chunks"] is None:
            return []
        async with self.store.database.read() as connection:
            return await list_parts(connection, self.row["document_key"], self.row["revision"])

    async def add_part(self, part: Part, facts: Mapping[str, Any], kept: Kept) -> None:
        """Write that a part was read and cut, what was found out about the document, and that it is being sent."""
        about = {"document_key": self.row["document_key"], "n": self.row["revision"], "tenant": self.tenant}
        async with self.writing({"stage": "indexing", "pages_total": facts["pages"]}, progress=True) as connection:
            await connection.execute(insert(PARTS).values(**about, **asdict(part)))
            await kept.confirm(connection)
            await self._update_revision(connection, {**facts, "sent": True})
            shown = {name: facts[name] for name in ("pages", "unread_pages", "title") if name in facts}
            if shown:
                await self._set_document(connection, {**shown, "updated_at": self.clock.now()})
        self.revision |= {**facts, "sent": True}

    async def begin_sending(self) -> None:
        """Say that a revision is being sent, where reading it has not: it was read for an earlier one, or restored."""
        if self.revision["sent"]:
            return
        async with self.writing({"stage": "indexing"}) as connection:
            await self._update_revision(connection, {"sent": True})
        self.revision["sent"] = True

    async def end_ready(self, committed: Committed) -> None:
        """The revision is the active one."""
        now, n, pages = self.clock.now(), self.row["revision"], self.revision.get("pages")
        values = {**DONE, "finished_at": now, "pages_done": pages or 0, "chunks_done": committed.chunks}
        newer = or_(DOCUMENTS.c.active_revision.is_(None), DOCUMENTS.c.active_revision < n)
        here = and_(DOCUMENTS.c.key == self.row["document_key"], DOCUMENTS.c.deleted_at.is_(None), newer)
        async with self.releasing(values) as connection:
            await self._update_revision(connection, {"status": "committed", "chunks": committed.chunks})
            active = {"active_revision": n, "chunks": committed.chunks, "updated_at": now}
            await connection.execute(update(DOCUMENTS).where(here).values(**active))
            done = {"status": "ready", "error": None, "pages": pages, "unread_pages": self.revision["unread_pages"]}
            await self._set_document(connection, done)

    async def committed_after_all(self, committed: Committed) -> None:
        """The index made the revision the active one, but the job was ended meanwhile: say what is true.

        Not where the document was deleted or what was sent was taken out: that ends the revision in the index, too.
        """
        key, n = self.row["document_key"], self.row["revision"]
        ending = JOBS.alias()
        gone = (
            select(ending.c.id)
            .where(ending.c.document_key == key, ending.c.kind.in_(("withdrawal", "document_deletion")))
            .where(ending.c.revision >= n)
        )
        older = or_(DOCUMENTS.c.active_revision.is_(None), DOCUMENTS.c.active_revision < n)
        here = and_(DOCUMENTS.c.key == key, DOCUMENTS.c.deleted_at.is_(None), older, ~gone.exists())
        async with self.store.database.write() as connection:
            active = {"active_revision": n, "chunks": committed.chunks}
            changed = update(DOCUMENTS).where(here).values(**active).returning(DOCUMENTS.c.key)
            if (await connection.execute(changed)).first() is not None:
                await self._update_revision(connection, {"status": "committed", "chunks": committed.chunks})

    async def end_reindexed(self) -> None:
        """The collection's new generation serves."""
        async with self.releasing({**DONE, "finished_at": self.clock.now()}):
            pass

    async def end_failed(self, failure: Failure, unreadable_by: str | None = None) -> None:
        """Give up, for a reason that the document shows, too. The grant goes: a retry by hand brings its own.

        `unreadable_by` is the reading version of a parser that can't read these bytes, however often it tries.
        """
        now, row, error = self.clock.now(), dict(self.row), failure.model_dump()
        values = {"status": "failed", "error": error, "finished_at": now, "grant_token": None}
        async with self.releasing(values) as connection:
            await queue_cleanup(connection, row, now)
            if row["kind"] == "reindex":
                await connection.execute(insert(JOBS).values(**removal_job(row, now)))
            if row["kind"] == "document":
                shown = {"status": "failed", "error": error, "updated_at": now, "unreadable_by": unreadable_by}
                await self._set_document(connection, shown)

    async def end_cancelled(self, why: Failure | None) -> None:
        """The index refuses the revision: a newer one is there, or the document is gone."""
        now, error = self.clock.now(), None if why is None else why.model_dump()
        values = {"status": "cancelled", "error": error, "finished_at": now, "grant_token": None}
        async with self.releasing(values) as connection:
            await self._set_document(connection, {"status": "cancelled", "updated_at": now})

    async def restart_sending(self) -> None:
        """The index lost chunks that it had acknowledged: send all of them again."""
        await self.write(values={"chunks_done": 0, "stage": "indexing", "restarts": self.row["restarts"] + 1})

    async def restart_reading(self) -> set[str]:
        """The collection wants its documents cut otherwise by now: read and cut the revision again.

        Returns the keys of blobs that may be needed by nobody now.
        """
        again = {"chunks_done": 0, "stage": "parsing", "progress": 0.0, "restarts": self.row["restarts"] + 1}
        async with self.writing(again) as connection:
            await self._update_revision(connection, {"parsed": False, "chunks": None, "layout": None})
            return await delete_parts(connection, self.row["document_key"], self.row["revision"])

    async def prune_revisions(self, kept: int) -> set[str]:
        """Delete committed revisions but the newest `kept`, and uncommitted earlier ones; the keys of their blobs."""
        key, active = self.row["document_key"], self.row["revision"]
        if active == 1:
            return set()
        of_it = and_(REVISIONS.c.document_key == key, REVISIONS.c.n <= active)
        newest = select(REVISIONS.c.n).where(of_it, REVISIONS.c.status == "committed")
        keep = newest.order_by(REVISIONS.c.n.desc()).limit(kept)
        async with self.store.database.write() as connection:
            return await delete_revisions(connection, and_(of_it, REVISIONS.c.n.not_in(keep)))

    async def _update_revision(self, connection: Transaction, values: Mapping[str, Any]) -> None:
        await connection.execute(update(REVISIONS).where(revision_of(self.row)).values(**values))

    async def _set_document(self, connection: Transaction, values: Mapping[str, Any]) -> None:
        await set_document(connection, self.row["document_key"], self.row["revision"], _UNDER_WAY, values)


def revision_of(job: Mapping[str, Any]) -> ColumnElement[bool]:
    """True of the revision that a job is for."""
    return and_(REVISIONS.c.document_key == job["document_key"], REVISIONS.c.n == job["revision"])
