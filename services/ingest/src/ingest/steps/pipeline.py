"""A document's job: its parts are read and sent in batches as they come, then committed. It can go on anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from contracts.collections import Collection
from contracts.indexing import ChunkBatch, CommitRequest, Committed
from extraction.chunking.chunker import Chunker
from extraction.model.failures import no_text
from ingest import metrics
from ingest.blobs.references import delete_unreferenced
from ingest.jobs.authority import Authority
from ingest.jobs.leased_job import Work
from ingest.jobs.ledger import Ledger
from ingest.jobs.outcomes import ServiceAway, checkpoint
from ingest.parts.files import as_inputs
from ingest.ports import Index, TokenizerSource
from ingest.steps.reader import Piece, Reader
from ingest.steps.rechunker import Rechunker, facts_of
from ingest.steps.sender import Sender, Sending
from servicekit.core.errors import PeerError, ServiceError
from servicekit.jobs.leases import LeaseLost

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")
LAYOUT_GONE, STALE_REVISION = "layout_gone", "stale_revision"
SENT = 0.95
"""Progress when all is sent."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Carries out jobs for documents."""

    ledger: Ledger
    reader: Reader
    sender: Sender
    index: Index
    authority: Authority
    tokenizers: TokenizerSource
    rechunker: Rechunker
    batch_chunks: int
    kept_revisions: int

    async def run(self, work: Work, stopping: asyncio.Event) -> None:
        """Bring the document to `ready`; raises what went wrong, `LeaseLost`, or `Stopping` between two batches."""
        cutter = await self._cutter(work)
        try:
            committed = await self._indexed(work, cutter, stopping)
        except PeerError as error:
            if error.code == LAYOUT_GONE:
                await self._restart_reading(work)
            if error.code != STALE_REVISION or not work.revision["parsed"]:
                raise
            committed = await self._commit(work)  # an earlier attempt may have: then it says so, else why not
        await self._end(work, committed)
        log.info("document ready", document_id=work.job["document_id"], timings=work.timings)

    async def authorised(self, work: Work, service: str, call: Callable[[str], Awaitable[Answer]]) -> Answer:
        """Make a call with the job's token."""
        return await self.authority.call(work, service, call)

    async def _cutter(self, work: Work) -> Chunker:
        """How the collection wants its documents cut."""
        collection = await self._collection(work)
        work.layout = collection.index.layout
        work.embedding_model = collection.embedding_model
        shadow = collection.index.shadow
        work.is_staged = shadow is not None and shadow.layout != work.layout
        if work.revision["layout"] not in (None, work.layout):
            await self._restart_reading(work)
        tokens = await self.authorised(
            work, "inference", lambda token: self.tokenizers.tokens(token, collection.embedding_model)
        )
        return Chunker(tokens, collection.chunking, collection.max_input_tokens)

    async def _collection(self, work: Work) -> Collection:
        name = work.job["collection"]
        return await self.authorised(work, "retriever", lambda token: self.index.get_collection(token, name))

    async def _restart_reading(self, work: Work) -> None:
        gone = await self.ledger.restart_reading(work)
        await delete_unreferenced(self.ledger.database, self.reader.blobs, work.job["tenant"], gone)
        raise LayoutChanged

    async def _indexed(self, work: Work, cutter: Chunker, stopping: asyncio.Event) -> Committed:
        """Send the document and have it made the active revision."""
        whole = await self._send(work, cutter, stopping)
        if whole is not None:
            checkpoint(work, stopping)
            committed = await self._send_whole(work, whole)
            if committed is not None:
                return committed
        if not work.revision["chunks"]:
            raise no_text()
        await self._send_to_shadow(work, stopping)
        return await self._commit(work)

    async def _send(self, work: Work, cutter: Chunker, stopping: asyncio.Event) -> Piece | None:
        """Send what has not been sent, while the parser reads on; what is sent when this ends is entered.

        A piece that is a whole document in one batch is given back unsent.
        """
        async with aclosing(self.reader.pieces(work, cutter)) as pieces, Sending(self.sender, work) as sending:
            async for piece in pieces:
                if self._is_whole(work, piece):
                    return piece
                for batch, done in self._batches(work, piece):
                    await sending.room()
                    checkpoint(work, stopping)
                    sending.send(batch, done)
                checkpoint(work, stopping)
        return None

    def _is_whole(self, work: Work, piece: Piece) -> bool:
        """Whether a piece is a document's first revision, in one batch, and in no shadow that wants it cut otherwise.

        Only a first one: a later one may be cancelled until the ledger says that it is being committed.
        """
        part = piece.part
        alone = part.done >= 1 and part.first_chunk == 0 and 0 < part.chunks <= self.batch_chunks
        return alone and work.job["revision"] == 1 and work.job["chunks_done"] == 0 and not work.is_staged

    async def _send_whole(self, work: Work, piece: Piece) -> Committed | None:
        """Send and commit a document in one call; null where it was only sent."""
        ((batch, done),) = self._batches(work, piece)
        committed = await self.sender.put(work, batch, whole=True)
        if committed is None:
            await self.ledger.progress(work, done)
        return committed

    def _batches(self, work: Work, piece: Piece) -> Iterator[tuple[ChunkBatch, dict[str, Any]]]:
        """A piece's batches that are not entered, each with what is to be entered for it."""
        part, size = piece.part, self.batch_chunks
        for first in range(max(part.first_chunk, work.job["chunks_done"]), part.next_chunk, size):
            last = min(first + size, part.next_chunk)
            chunks = as_inputs(part, piece.text, piece.chunks, first, last)
            share = (last - part.first_chunk) / part.chunks
            is_all = part.done >= 1 and last == part.next_chunk
            done = {
                "stage": "committing" if is_all else "indexing",
                "chunks_done": last,
                "progress": round(SENT * (piece.before + (part.done - piece.before) * share), 4),
                "pages_done": chunks[-1].page or 0,
            }
            yield ChunkBatch(document=facts_of(work.revision), chunks=chunks), done

    async def _send_to_shadow(self, work: Work, stopping: asyncio.Event) -> None:
        """Where the collection is being cut anew, the new generation gets this revision, too, before it is committed.

        What fails here is made up for by the reindex itself.
        """
        shadow = (await self._collection(work)).index.shadow
        if shadow is None or shadow.layout == work.layout:
            return
        try:
            await self.rechunker.send(work, shadow, work.job["document_id"], work.revision, stopping)
        except (ServiceError, ServiceAway) as error:
            log.warning("not sent to the shadow", document_id=work.job["document_id"], error=str(error)[:300])

    async def _commit(self, work: Work) -> Committed:
        job = work.job
        about = (job["collection"], job["document_id"], job["revision"])
        request = CommitRequest(document=facts_of(work.revision), chunks=work.revision["chunks"])
        with work.timed("committing"), metrics.STAGE_SECONDS.labels("committing").time():
            try:
                return await self.authorised(
                    work, "retriever", lambda token: self.index.commit(token, *about, request, work.layout)
                )
            except PeerError as error:
                if error.code != "chunks_missing":
                    raise
                await self.ledger.restart_sending(work)
                raise ChunksLost from error

    async def _end(self, work: Work, committed: Committed) -> None:
        metrics.CHUNKS.labels("deleted").inc(committed.stale_deleted)
        try:
            await self.ledger.ready(work, committed)
        except LeaseLost:
            await self.ledger.committed_after_all(work, committed)
            raise
        gone = await self.ledger.prune(work, self.kept_revisions)
        await delete_unreferenced(self.ledger.database, self.reader.blobs, work.job["tenant"], gone)


class LayoutChanged(Exception):
    """The collection wants its documents cut otherwise than this one was."""


class ChunksLost(Exception):
    """The index no longer has chunks that it had acknowledged."""
