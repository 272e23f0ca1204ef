"""Reading a revision: the parts that are in the ledger, then the rest as the parser finds it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from extraction.chunking.chunker import Chunk, Chunker
from extraction.model.document import START, Extracted
from extraction.sandbox.extractor import SandboxedExtractor
from ingest import metrics
from ingest.jobs.leased_job import IngestJob
from ingest.parts.files import NOTHING, Part, load
from ingest.ports import BlobStore
from ingest.steps.chunker_pool import ChunkerPool, DocumentChunker

Cutter = Callable[[str], Awaitable[Chunker]]
"""How a part of this text is cut."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part with what is in it."""

    part: Part
    text: str
    chunks: list[Chunk]
    before: float
    """How much of the document was read before it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Parses and cuts; each part is on disk and in the ledger before it is handed on."""

    blobs: BlobStore
    parser: SandboxedExtractor
    cutting: ChunkerPool

    async def pieces(self, job: IngestJob, cutter: Cutter) -> AsyncGenerator[Piece, None]:
        """What has not been sent yet, in order; raises `ParseFailed`. Close it: no parser stays behind."""
        last = NOTHING
        for part in await job.list_parts():
            if part.next_chunk > job.row["chunks_done"]:
                text = (await self.blobs.read(part.text_key)).decode()
                structure = await self.blobs.read(part.structure_key)
                _, chunks = await asyncio.to_thread(load, text, structure)
                await job.begin_sending()
                yield Piece(part, text, chunks, last.done)
            last = part
        if not job.revision["parsed"]:
            async with aclosing(self._new(job, cutter, last)) as found:
                async for piece in found:
                    yield piece

    async def _new(self, job: IngestJob, cutter: Cutter, last: Part) -> AsyncGenerator[Piece, None]:
        resume = START
        if last.number >= 0:
            text = (await self.blobs.read(last.text_key)).decode()
            structure = await self.blobs.read(last.structure_key)
            resume = last.resume((await asyncio.to_thread(load, text, structure))[0])
        cutting = self.cutting.document()
        async with (
            self.blobs.local(job.revision["blob_key"]) as path,
            aclosing(self.parser.parts(path, job.revision["media_type"], resume)) as parts,
        ):
            while last.done < 1 and (extracted := await self._next(job, parts)) is not None:
                chunker = await cutter(extracted.text)
                piece = await self._cut(job, chunker, cutting, extracted, last)
                yield piece
                last = piece.part

    async def _next(self, job: IngestJob, parts: AsyncIterator[Extracted]) -> Extracted | None:
        with job.timed("parsing"), metrics.STAGE_SECONDS.labels("parsing").time():
            return await job.unless_giving_way(_following(parts))

    async def _cut(
        self, job: IngestJob, chunker: Chunker, cutting: DocumentChunker, extracted: Extracted, last: Part
    ) -> Piece:
        title = job.revision["title"]
        if last is NOTHING and not job.revision["title_given"]:
            title = extracted.title or title
        with job.timed("chunking"), metrics.STAGE_SECONDS.labels("chunking").time():
            cut = await job.unless_giving_way(cutting.part(chunker, extracted, title))
        keys = [f"{job.row['tenant']}/{digest}" for digest in cut.digests]
        part = Part(
            number=last.number + 1,
            text_key=keys[0],
            structure_key=keys[1],
            start=last.next_start,
            chars=len(extracted.text),
            first_chunk=last.next_chunk,
            chunks=len(cut.chunks),
            last_page=extracted.last_page,
            done=extracted.done,
        )
        facts = {
            "pages": extracted.pages,
            "unread_pages": extracted.state.get("unread_pages") or None,
            "title": title,
            "layout": job.layout,
            "chunks": part.next_chunk,
            "parsed": part.done >= 1,
        }
        async with self.blobs.keeping(*keys) as kept:
            await asyncio.gather(
                self.blobs.put(keys[0], io.BytesIO(cut.text)), self.blobs.put(keys[1], io.BytesIO(cut.structure))
            )
            await job.add_part(part, facts, kept)
        metrics.PAGES.inc(max(1, (extracted.last_page or 0) - (last.last_page or 0)))
        return Piece(part, extracted.text, cut.chunks, last.done)


async def _following(parts: AsyncIterator[Extracted]) -> Extracted | None:
    return await anext(parts, None)
