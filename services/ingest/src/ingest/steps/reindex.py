"""A reindex's job: it drives the retriever step by step, and cuts documents anew where their chunks are to be others.

All state is the retriever's, so that any worker can take the job over between any two calls, and repeat the last one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from contracts.collections import ShadowIndex
from contracts.reindexing import DocumentRevision, ReindexRequest, Shadow, ShadowRequest
from ingest import metrics
from ingest.documents.repository import this_document
from ingest.errors import BlobMissing, ReindexOvertaken
from ingest.jobs.authority import Authority
from ingest.jobs.leased_job import Work
from ingest.jobs.ledger import Ledger
from ingest.jobs.outcomes import Yielding, checkpoint
from ingest.jobs.reindexes import shadow_key
from ingest.ports import Index
from ingest.steps.rechunker import Rechunker
from ingest.tables import DOCUMENTS, REVISIONS
from servicekit.core.errors import PeerError

log = structlog.get_logger(__name__)
SLICE_SECONDS = 10.0
"""After so long a reindex lets others go first."""
IDLE_STEPS = 10
COPIED = 0.95
"""Progress when all is copied."""
OVERTAKEN = ("stale_revision", "chunks_missing", "shadow_gone")
"""The document or the shadow changed meanwhile; the next step says what is left."""


class ReindexStuck(Exception):
    """Steps bring the reindex no further."""


@dataclass(frozen=True, slots=True)
class Reindexer:
    """Carries out jobs that reindex."""

    ledger: Ledger
    index: Index
    authority: Authority
    rechunker: Rechunker

    async def run(self, work: Work, stopping: asyncio.Event) -> None:
        """Build the new generation and let it serve.

        Raises what went wrong, `LeaseLost`, and between two steps `Stopping`, or `Yielding` when others wait.
        """
        name, key = work.job["collection"], shadow_key(work.job)
        request = ShadowRequest(key=key, wanted=ReindexRequest.model_validate(work.job["details"]))
        shadow = await self.authority.call(
            work, "retriever", lambda token: self.index.begin_shadow(token, name, request)
        )
        began, idle = time.monotonic(), 0
        while shadow.state == "building":
            checkpoint(work, stopping)
            before = shadow.left
            shadow, moved = await self._step(work, shadow, stopping)
            idle = 0 if moved or shadow.left != before else idle + 1
            if idle > IDLE_STEPS:
                raise ReindexStuck(f"{shadow.left} documents are left and none gets further.")
            if time.monotonic() - began > SLICE_SECONDS and await self.ledger.others_wait(work):
                raise Yielding
        if shadow.state != "active":
            raise ReindexOvertaken
        await self.ledger.reindexed(work)
        log.info("collection reindexed", collection=name, generation=shadow.generation, timings=work.timings)

    async def _step(self, work: Work, shadow: Shadow, stopping: asyncio.Event) -> tuple[Shadow, bool]:
        """Copy some, or flip when all is copied; whether anything was brought over."""
        name, number = work.job["collection"], shadow.generation
        with work.timed("copying"), metrics.STAGE_SECONDS.labels("copying").time():
            shadow = await self.authority.call(
                work, "retriever", lambda token: self.index.copy_shadow(token, name, number)
            )
            sent = await self._supply(work, number, shadow.wanted, stopping) if shadow.wanted else 0
        if shadow.state != "building":
            return shadow, True
        moved = bool(shadow.copied or sent)
        done = {"stage": "flipping" if shadow.left == 0 else "copying", "progress": round(COPIED * shadow.progress, 4)}
        await self.ledger.progress(work, done, achieved=moved)
        if shadow.left == 0:
            with work.timed("flipping"), metrics.STAGE_SECONDS.labels("flipping").time():
                shadow = await self.authority.call(
                    work, "retriever", lambda token: self.index.flip_shadow(token, name, number)
                )
        return shadow, moved

    async def _supply(self, work: Work, number: int, wanted: list[DocumentRevision], stopping: asyncio.Event) -> int:
        """Send what the shadow waits for; how many documents."""
        name, sent = work.job["collection"], 0
        collection = await self.authority.call(work, "retriever", lambda token: self.index.get_collection(token, name))
        shadow = collection.index.shadow
        if shadow is None or shadow.generation != number:
            return 0
        for document in wanted:
            sent += await self._send(work, shadow, document, stopping)
            await self.ledger.progress(work, {}, achieved=bool(sent))
        return sent

    async def _send(self, work: Work, shadow: ShadowIndex, document: DocumentRevision, stopping: asyncio.Event) -> bool:
        found = (
            select(REVISIONS)
            .join(DOCUMENTS, DOCUMENTS.c.key == REVISIONS.c.document_key)
            .where(this_document(work.job["tenant"], work.job["collection"], document.document_id))
            .where(REVISIONS.c.n == document.revision)
        )
        revision = await self.ledger.database.read(
            lambda connection: connection.execute(found).mappings().one_or_none()
        )
        if revision is None:
            return False
        try:
            await self.rechunker.send(work, shadow, document.document_id, dict(revision), stopping)
        except BlobMissing:
            log.warning("text missing", document_id=document.document_id, revision=document.revision)
            return False
        except PeerError as error:
            if error.code not in OVERTAKEN:
                raise
            return False
        return True
