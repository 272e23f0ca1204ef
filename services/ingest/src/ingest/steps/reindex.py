"""A reindex's job: it drives the retriever step by step, and cuts documents anew where their chunks are to be others.

All state is the retriever's, so that any worker can take the job over between any two calls, and repeat the last one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from contracts.retrieval.collections import ShadowIndex
from contracts.retrieval.reindex import DocumentRevision, ReindexRequest, Shadow, ShadowRequest
from ingest import metrics
from ingest.documents.repository import this_document
from ingest.errors import BlobMissing, IndexKeptTooLong, ReindexOvertaken
from ingest.jobs.authority import Authority
from ingest.jobs.leased_job import IngestJob
from ingest.jobs.outcomes import Built
from ingest.jobs.reindexes import shadow_key
from ingest.ports import Index
from ingest.steps.rechunker import Rechunker
from ingest.tables import DOCUMENTS, REVISIONS
from servicekit.core.errors import PeerError
from servicekit.jobs.outcomes import Yielding

log = structlog.get_logger(__name__)
SLICE_SECONDS = 10.0
"""After so long a reindex lets others go first."""
IDLE_STEPS = 10
KEPT_SECONDS = 24 * 3600.0
"""How long after its begin an index is removed that was built without switching to it, and not cancelled."""
BUILT = "built"
COPIED = 0.95
"""Progress when all is copied."""
OVERTAKEN = ("stale_revision", "chunks_missing", "shadow_gone")
"""The document or the shadow changed meanwhile; the next step says what is left."""


class ReindexStuck(Exception):
    """Steps bring the reindex no further."""


@dataclass(frozen=True, slots=True)
class Reindexer:
    """Carries out jobs that reindex."""

    index: Index
    authority: Authority
    rechunker: Rechunker

    async def run(self, job: IngestJob) -> None:
        """Build the new generation and let it serve.

        Raises what went wrong, `LeaseLost`, `Built` where it is not to serve, and between two steps `Stopping`, or
        `Yielding` when others wait.
        """
        name, key = job.row["collection"], shadow_key(job.row)
        request = ShadowRequest(key=key, wanted=ReindexRequest.model_validate(job.row["details"]))
        await self._check_time(job, request.wanted)
        shadow = await self.authority.call(
            job, "retriever", lambda token: self.index.begin_shadow(token, name, request)
        )
        began, idle = time.monotonic(), 0
        while shadow.state == "building":
            job.checkpoint()
            before = shadow.left
            shadow, moved = await self._step(job, shadow)
            idle = 0 if moved or shadow.left != before else idle + 1
            if idle > IDLE_STEPS:
                raise ReindexStuck(f"{shadow.left} documents are left and none gets further.")
            if time.monotonic() - began > SLICE_SECONDS and await job.others_wait():
                raise Yielding
        if shadow.state != "active":
            raise ReindexOvertaken
        await job.end_reindexed()
        log.info("collection reindexed", collection=name, generation=shadow.generation, timings=job.timings)

    async def _check_time(self, job: IngestJob, wanted: ReindexRequest) -> None:
        """Raise `IndexKeptTooLong` for one that nobody cancelled; else the budget is asked, as by any job that has
        waited, but for one that is built, which embeds nothing."""
        began = job.row["started_at"]
        if wanted.switch is False and (job.clock.now() - began).total_seconds() > KEPT_SECONDS:
            raise IndexKeptTooLong(KEPT_SECONDS / 3600)
        if job.row["stage"] != BUILT:
            await self.authority.ask_budget(job)

    async def _step(self, job: IngestJob, shadow: Shadow) -> tuple[Shadow, bool]:
        """Copy some, or flip when all is copied; whether anything was brought over. Raises `Built` in its place."""
        name, number = job.row["collection"], shadow.generation
        with job.timed("copying"), metrics.STAGE_SECONDS.labels("copying").time():
            shadow = await self.authority.call(
                job, "retriever", lambda token: self.index.copy_shadow(token, name, number)
            )
            sent = await self._supply(job, number, shadow.wanted) if shadow.wanted else 0
        if shadow.state != "building":
            return shadow, True
        moved = bool(shadow.copied or sent)
        whole, switches = shadow.left == 0, job.row["details"].get("switch", True)
        stage = ("flipping" if switches else BUILT) if whole else "copying"
        done = {"stage": stage, "progress": round((COPIED if switches else 1) * shadow.progress, 4)}
        await job.write(values=done, progress=moved or stage == BUILT)
        if stage == BUILT:
            raise Built("the index is whole and stays until its job is cancelled")
        if whole:
            with job.timed("flipping"), metrics.STAGE_SECONDS.labels("flipping").time():
                shadow = await self.authority.call(
                    job, "retriever", lambda token: self.index.flip_shadow(token, name, number)
                )
        return shadow, moved

    async def _supply(self, job: IngestJob, number: int, wanted: list[DocumentRevision]) -> int:
        """Send what the shadow waits for; how many documents."""
        name, sent = job.row["collection"], 0
        collection = await self.authority.call(job, "retriever", lambda token: self.index.get_collection(token, name))
        shadow = collection.index.shadow
        if shadow is None or shadow.generation != number:
            return 0
        for document in wanted:
            sent += await self._send(job, shadow, document)
            await job.write(values={}, progress=bool(sent))
        return sent

    async def _send(self, job: IngestJob, shadow: ShadowIndex, document: DocumentRevision) -> bool:
        found = (
            select(REVISIONS)
            .join(DOCUMENTS, DOCUMENTS.c.key == REVISIONS.c.document_key)
            .where(this_document(job.row["tenant"], job.row["collection"], document.document_id))
            .where(REVISIONS.c.n == document.revision)
        )
        revision = await job.store.database.read(lambda connection: connection.execute(found).mappings().one_or_none())
        if revision is None:
            return False
        try:
            await self.rechunker.send(job, shadow, document.document_id, dict(revision))
        except BlobMissing:
            log.warning("text missing", document_id=document.document_id, revision=document.revision)
            return False
        except PeerError as error:
            if error.code not in OVERTAKEN:
                raise
            return False
        return True
