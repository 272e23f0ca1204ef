"""The stages of a document's job: parse, chunk, index in batches, commit. Each resumes where the last one stopped."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from contracts.indexing import ChunkBatch, CommitRequest, DocumentFacts
from ingest import metrics, plans
from ingest.blob_references import drop_unreferenced, keys_of
from ingest.chunking.cutting import Chunk, Cutter
from ingest.ledger import Ledger
from ingest.parsing.failures import no_text
from ingest.parsing.process import ParsingProcess
from ingest.parsing.structure import Extracted
from ingest.ports import BlobStore, Index, TokenizerSource, TokenSource
from ingest.work import Work
from ingest.worker.outcomes import GrantRefused, ServiceAway, Stopping, TokenRefused, calling
from servicekit.errors import PeerError

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")
PARSED, CUT, SENT = 0.1, 0.15, 0.95
"""Progress at the end of each stage."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Carries out jobs for documents."""

    ledger: Ledger
    blobs: BlobStore
    index: Index
    tokens: TokenSource
    tokenizers: TokenizerSource
    parser: ParsingProcess
    batch_chunks: int
    kept_revisions: int

    async def run(self, work: Work, stopping: asyncio.Event) -> None:
        """Bring the document to `ready`; raises what went wrong, `LeaseLost`, or `Stopping` between two batches."""
        document = await self._parsed(work, stopping)
        chunks = await self._cut(work, document, stopping)
        await self._send(work, document.text, chunks, stopping)
        await self._commit(work, chunks)
        log.info("document ready", document_id=work.job["document_id"], chunks=len(chunks), timings=work.timings)

    async def authorised(self, work: Work, service: str, call: Callable[[str], Awaitable[Answer]]) -> Answer:
        """Make a call with the job's token; one that was refused is exchanged for a fresh one, once."""
        grant = work.job["grant_token"] or ""
        try:
            with calling(service):
                return await call(await self._token(grant, fresh=False))
        except TokenRefused:
            pass
        try:
            with calling(service):
                return await call(await self._token(grant, fresh=True))
        except TokenRefused:
            raise ServiceAway(service, None) from None

    async def _token(self, grant: str, *, fresh: bool) -> str:
        try:
            with calling("gateway"):
                return await self.tokens.token(grant, fresh=fresh)
        except TokenRefused:
            raise GrantRefused from None

    async def withdraw(self, work: Work) -> None:
        """Take what was sent of a job that failed out of the index, unless an earlier revision is there."""
        job = work.job
        await self.authorised(
            work,
            "retriever",
            lambda token: self.index.delete_document(token, job["collection"], job["document_id"], job["revision"]),
        )

    async def _parsed(self, work: Work, stopping: asyncio.Event) -> Extracted:
        _checkpoint(stopping)
        if work.revision["text_key"] is not None:
            text = (await self.blobs.read(work.revision["text_key"])).decode()
            return Extracted.from_json(text, json.loads(await self.blobs.read(work.revision["spans_key"])))
        await self.ledger.enter(work, "parsing")
        with work.timed("parsing"), metrics.STAGE_SECONDS.labels("parsing").time():
            async with self.blobs.local(work.revision["blob_key"]) as path:
                document = await self.parser.extract(path, work.revision["media_type"])
            text_key = await self._keep(work, document.text.encode())
            spans_key = await self._keep(work, json.dumps(document.to_json()).encode())
        metrics.PAGES.inc(document.pages or 1)
        title = work.revision["title"] if work.revision["title_given"] else document.title or work.revision["title"]
        found = {"text_key": text_key, "spans_key": spans_key, "pages": document.pages, "title": title}
        await self.ledger.progress(work, {"progress": PARSED, "pages_total": document.pages}, found)
        return document

    async def _cut(self, work: Work, document: Extracted, stopping: asyncio.Event) -> list[Chunk]:
        _checkpoint(stopping)
        if work.revision["plan_key"] is not None:
            return plans.load(await self.blobs.read(work.revision["plan_key"]))
        await self.ledger.enter(work, "chunking")
        with work.timed("chunking"), metrics.STAGE_SECONDS.labels("chunking").time():
            name = work.job["collection"]
            collection = await self.authorised(work, "retriever", lambda token: self.index.collection(token, name))
            tokens = await self.authorised(
                work, "inference", lambda token: self.tokenizers.tokens(token, collection.embedding_model)
            )
            cutter = Cutter(tokens, collection.chunking, collection.max_input_tokens)
            chunks = await asyncio.to_thread(cutter.cut, document, work.revision["title"])
            plan_key = await self._keep(work, plans.dump(chunks))
        if not chunks:
            raise no_text()
        await self.ledger.progress(work, {"progress": CUT}, {"plan_key": plan_key, "chunks": len(chunks)})
        return chunks

    async def _send(self, work: Work, text: str, chunks: list[Chunk], stopping: asyncio.Event) -> None:
        facts, size = _facts(work), self.batch_chunks
        if work.job["stage"] != "indexing":
            await self.ledger.enter(work, "indexing", {"sent": True})
        for first in range(work.job["batches_done"] * size, len(chunks), size):
            _checkpoint(stopping)
            last = min(first + size, len(chunks))
            batch = ChunkBatch(document=facts, chunks=plans.as_inputs(chunks, text, first, last))
            await self._send_one(work, batch)
            done = {
                "batches_done": last // size if last % size == 0 else last // size + 1,
                "progress": round(CUT + (SENT - CUT) * last / len(chunks), 4),
                "pages_done": chunks[last - 1].page or 0,
            }
            await self.ledger.progress(work, done)

    async def _send_one(self, work: Work, batch: ChunkBatch) -> None:
        job = work.job
        about = (job["collection"], job["document_id"], job["revision"])
        with work.timed("indexing"), metrics.STAGE_SECONDS.labels("indexing").time():
            indexed = await self.authorised(
                work, "retriever", lambda token: self.index.put_chunks(token, *about, batch)
            )
        metrics.CHUNKS.labels("embedded").inc(indexed.embedded)
        metrics.CHUNKS.labels("reused").inc(indexed.reused)

    async def _commit(self, work: Work, chunks: list[Chunk]) -> None:
        job = work.job
        about = (job["collection"], job["document_id"], job["revision"])
        await self.ledger.enter(work, "committing")
        request = CommitRequest(document=_facts(work), chunks=len(chunks))
        with work.timed("committing"), metrics.STAGE_SECONDS.labels("committing").time():
            try:
                committed = await self.authorised(
                    work, "retriever", lambda token: self.index.commit(token, *about, request)
                )
            except PeerError as error:
                if error.code != "chunks_missing":
                    raise
                await self.ledger.restart_sending(work)
                raise ChunksLost from error
        await self.ledger.ready(work, committed)
        gone = await self.ledger.prune(work, self.kept_revisions)
        await drop_unreferenced(self.ledger.database, self.blobs, job["tenant"], keys_of(gone))

    async def _keep(self, work: Work, content: bytes) -> str:
        key = f"{work.job['tenant']}/{hashlib.sha256(content).hexdigest()}"
        await self.blobs.put(key, io.BytesIO(content))
        return key


class ChunksLost(Exception):
    """The index no longer has chunks that it had acknowledged."""


def _facts(work: Work) -> DocumentFacts:
    names = ("title", "source", "media_type", "metadata")
    return DocumentFacts(**{name: work.revision[name] for name in names})


def _checkpoint(stopping: asyncio.Event) -> None:
    if stopping.is_set():
        raise Stopping
