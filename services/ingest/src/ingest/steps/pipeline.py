"""A document's job: its parts are read and sent in batches as they come, then committed. It can go on anywhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from contracts.retrieval.chunks import ChunkBatch, CommitRequest, Committed
from contracts.retrieval.collections import AUTO_MODEL, Collection, ModelBinding
from extraction.chunking.chunker import Chunker
from extraction.model.failures import no_text
from ingest import metrics
from ingest.blobs.references import delete_unreferenced
from ingest.jobs.authority import Authority
from ingest.jobs.leased_job import IngestJob
from ingest.jobs.outcomes import ServiceAway
from ingest.parts.files import as_inputs
from ingest.ports import Index, TokenizerSource
from ingest.steps.reader import Cutter, Piece, Reader
from ingest.steps.rechunker import Rechunker, facts_of
from ingest.steps.sender import Sender, Sending
from servicekit.core.errors import PeerError, ServiceError
from servicekit.jobs.leases import LeaseLost

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")
LAYOUT_GONE, STALE_REVISION = "layout_gone", "stale_revision"
SAMPLE_CHARS = 60_000
"""So much of a first document's text is looked at for its language."""
SENT = 0.95
"""Progress when all is sent."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Carries out jobs for documents."""

    reader: Reader
    sender: Sender
    index: Index
    authority: Authority
    tokenizers: TokenizerSource
    rechunker: Rechunker
    batch_chunks: int
    kept_revisions: int

    async def run(self, job: IngestJob) -> None:
        """Bring the document to `ready`; raises what went wrong, `LeaseLost`, or `Stopping` between two batches."""
        cutter = await self._cutter(job)
        try:
            committed = await self._indexed(job, cutter)
        except PeerError as error:
            if error.code == LAYOUT_GONE:
                await self._restart_reading(job)
            if error.code != STALE_REVISION or not job.revision["parsed"]:
                raise
            committed = await self._commit(job)  # an earlier attempt may have: then it says so, else why not
        await self._end(job, committed)
        log.info("document ready", document_id=job.row["document_id"], timings=job.timings)

    async def authorised(self, job: IngestJob, service: str, call: Callable[[str], Awaitable[Answer]]) -> Answer:
        """Make a call with the job's token."""
        return await self.authority.call(job, service, call)

    async def _cutter(self, job: IngestJob) -> Cutter:
        """How the collection wants its documents cut. One without an embedding model gets it by the first text."""
        collection = await self._collection(job)
        job.layout = collection.index.layout
        shadow = collection.index.shadow
        job.is_staged = shadow is not None and shadow.layout != job.layout
        if job.revision["layout"] not in (None, job.layout):
            await self._restart_reading(job)
        chunker = None if collection.embedding_model == AUTO_MODEL else await self._chunker(job, collection)

        async def cutter(text: str) -> Chunker:
            nonlocal chunker
            if chunker is not None:
                return chunker
            if not text.strip():  # a page without text tells nothing, and has nothing to cut
                return await self._chunker(job, collection.model_copy(update={"embedding_model": "default"}))
            chunker = await self._chunker(job, await self._bound(job, text))
            return chunker

        return cutter

    async def _bound(self, job: IngestJob, text: str) -> Collection:
        name, wanted = job.row["collection"], ModelBinding(text=text[:SAMPLE_CHARS])
        return await self.authorised(job, "retriever", lambda token: self.index.bind_collection(token, name, wanted))

    async def _chunker(self, job: IngestJob, collection: Collection) -> Chunker:
        job.embedding_model = collection.embedding_model
        tokens = await self.authorised(
            job, "inference", lambda token: self.tokenizers.tokens(token, collection.embedding_model)
        )
        return Chunker(tokens, collection.chunking, collection.max_input_tokens)

    async def _collection(self, job: IngestJob) -> Collection:
        name = job.row["collection"]
        return await self.authorised(job, "retriever", lambda token: self.index.get_collection(token, name))

    async def _restart_reading(self, job: IngestJob) -> None:
        gone = await job.restart_reading()
        await delete_unreferenced(job.store.database, self.reader.blobs, job.row["tenant"], gone)
        raise LayoutChanged

    async def _indexed(self, job: IngestJob, cutter: Cutter) -> Committed:
        """Send the document and have it made the active revision."""
        whole = await self._send(job, cutter)
        if whole is not None:
            job.checkpoint()
            committed = await self._send_whole(job, whole)
            if committed is not None:
                return committed
        if not job.revision["chunks"]:
            raise no_text()
        await self._send_to_shadow(job)
        return await self._commit(job)

    async def _send(self, job: IngestJob, cutter: Cutter) -> Piece | None:
        """Send what has not been sent, while the parser reads on; what is sent when this ends is entered.

        A piece that is a whole document in one batch is given back unsent.
        """
        async with aclosing(self.reader.pieces(job, cutter)) as pieces, Sending(self.sender, job) as sending:
            async for piece in pieces:
                if self._is_whole(job, piece):
                    return piece
                for batch, done in self._batches(job, piece):
                    await sending.room()
                    job.checkpoint()
                    sending.send(batch, done)
                job.checkpoint()
        return None

    def _is_whole(self, job: IngestJob, piece: Piece) -> bool:
        """Whether a piece is a document's first revision, in one batch, and in no shadow that wants it cut otherwise.

        Only a first one: a later one may be cancelled until the ledger says that it is being committed.
        """
        part = piece.part
        alone = part.done >= 1 and part.first_chunk == 0 and 0 < part.chunks <= self.batch_chunks
        return alone and job.row["revision"] == 1 and job.row["chunks_done"] == 0 and not job.is_staged

    async def _send_whole(self, job: IngestJob, piece: Piece) -> Committed | None:
        """Send and commit a document in one call; null where it was only sent."""
        ((batch, done),) = self._batches(job, piece)
        committed = await self.sender.put(job, batch, whole=True)
        if committed is None:
            await job.write(values=done, progress=True)
        return committed

    def _batches(self, job: IngestJob, piece: Piece) -> Iterator[tuple[ChunkBatch, dict[str, Any]]]:
        """A piece's batches that are not entered, each with what is to be entered for it."""
        part, size = piece.part, self.batch_chunks
        for first in range(max(part.first_chunk, job.row["chunks_done"]), part.next_chunk, size):
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
            yield ChunkBatch(document=facts_of(job.revision), chunks=chunks), done

    async def _send_to_shadow(self, job: IngestJob) -> None:
        """Where the collection is being cut anew, the new generation gets this revision, too, before it is committed.

        What fails here is made up for by the reindex itself.
        """
        shadow = (await self._collection(job)).index.shadow
        if shadow is None or shadow.layout == job.layout:
            return
        try:
            await self.rechunker.send(job, shadow, job.row["document_id"], job.revision)
        except (ServiceError, ServiceAway) as error:
            log.warning("not sent to the shadow", document_id=job.row["document_id"], error=str(error)[:300])

    async def _commit(self, job: IngestJob) -> Committed:
        row = job.row
        about = (row["collection"], row["document_id"], row["revision"])
        request = CommitRequest(document=facts_of(job.revision), chunks=job.revision["chunks"])
        with job.timed("committing"), metrics.STAGE_SECONDS.labels("committing").time():
            try:
                return await self.authorised(
                    job, "retriever", lambda token: self.index.commit(token, *about, request, job.layout)
                )
            except PeerError as error:
                if error.code != "chunks_missing":
                    raise
                await job.restart_sending()
                raise ChunksLost from error

    async def _end(self, job: IngestJob, committed: Committed) -> None:
        metrics.CHUNKS.labels("deleted").inc(committed.stale_deleted)
        try:
            await job.end_ready(committed)
        except LeaseLost:
            await job.committed_after_all(committed)
            raise
        gone = await job.prune_revisions(self.kept_revisions)
        await delete_unreferenced(job.store.database, self.reader.blobs, job.row["tenant"], gone)


class LayoutChanged(Exception):
    """The collection wants its documents cut otherwise than this one was."""


class ChunksLost(Exception):
    """The index no longer has chunks that it had acknowledged."""
