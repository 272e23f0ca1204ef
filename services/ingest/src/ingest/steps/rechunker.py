"""Cutting a revision anew, from the text that is kept of it, for a generation with other chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.retrieval.chunks import ChunkBatch, ChunkInput, CommitRequest, DocumentFacts
from contracts.retrieval.collections import ShadowIndex
from extraction.chunking.chunker import Chunker
from ingest.jobs.authority import Authority
from ingest.jobs.leased_job import IngestJob
from ingest.parts.files import Part, as_inputs, load
from ingest.parts.repository import list_parts
from ingest.ports import BlobStore, Index, TokenizerSource
from ingest.steps.chunker_pool import ChunkerPool, DocumentChunker


@dataclass(frozen=True, slots=True)
class Rechunker:
    """Sends revisions to a shadow, cut its way."""

    blobs: BlobStore
    index: Index
    authority: Authority
    tokenizers: TokenizerSource
    cutting: ChunkerPool
    batch_chunks: int

    async def send(self, job: IngestJob, shadow: ShadowIndex, document_id: str, revision: Mapping[str, Any]) -> int:
        """Cut a wholly read revision (its row) and send it; how many chunks it has.

        Raises `BlobMissing`, the index's 409s (`shadow_gone`, `stale_revision`), or `Stopping` between two batches.
        """
        facts = facts_of(revision)
        name, about = job.row["collection"], (document_id, revision["n"])
        sent = 0
        async for chunks in self._batches(job, shadow, revision):
            job.checkpoint()
            batch = ChunkBatch(document=facts, chunks=chunks)
            await self.authority.call(
                job,
                "retriever",
                lambda token, batch=batch: self.index.stage_chunks(token, name, shadow.generation, *about, batch),  # type: ignore[misc]
            )
            sent += len(chunks)
        whole = CommitRequest(document=facts, chunks=sent)
        await self.authority.call(
            job, "retriever", lambda token: self.index.stage_commit(token, name, shadow.generation, *about, whole)
        )
        return sent

    async def _batches(
        self, job: IngestJob, shadow: ShadowIndex, revision: Mapping[str, Any]
    ) -> AsyncIterator[list[ChunkInput]]:
        tokens = await self.authority.call(
            job, "inference", lambda token: self.tokenizers.tokens(token, shadow.embedding_model)
        )
        cutter = Chunker(tokens, shadow.chunking, shadow.max_input_tokens)
        async with job.store.database.read() as connection:
            parts = await list_parts(connection, revision["document_key"], revision["n"])
        first, cutting = 0, self.cutting.document()
        for part in parts:
            chunks = await self._cut(cutter, cutting, part, revision["title"], first)
            for at in range(0, len(chunks), self.batch_chunks):
                yield chunks[at : at + self.batch_chunks]
            first += len(chunks)

    async def _cut(
        self, cutter: Chunker, cutting: DocumentChunker, part: Part, title: str, first: int
    ) -> list[ChunkInput]:
        text = (await self.blobs.read(part.text_key)).decode()
        extracted, _ = await asyncio.to_thread(load, text, await self.blobs.read(part.structure_key))
        chunks = await cutting.chunks(cutter, extracted, title)
        recut = replace(part, first_chunk=first, chunks=len(chunks))
        return as_inputs(recut, text, chunks, first, recut.next_chunk)


def facts_of(revision: Mapping[str, Any]) -> DocumentFacts:
    """What the index is told of a document."""
    names = ("title", "source", "media_type", "metadata")
    return DocumentFacts(**{name: revision[name] for name in names})
