"""Vectors of chunks: those that the vector store has are used again, the others are embedded, once a model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contracts.retrieval.chunks import ChunkInput, DocumentFacts
from retriever.catalog.generations import Generation
from retriever.errors import EmbeddingMismatch
from retriever.metrics import EMBEDDING_TOKENS
from retriever.models.protocol import Embedder, Embeddings
from retriever.models.vector_codec import decode_embedding
from retriever.stages import Stages
from retriever.stores import filters
from retriever.stores.points import Point, RevisionKey, content_hash, embedded_text, make_point
from retriever.stores.protocol import VectorStore


@dataclass
class BatchVectors:
    """What is known so far of one batch's vectors, by model and content hash; and what it took."""

    vectors: dict[tuple[str, int], dict[str, list[float]]] = field(default_factory=dict)
    embedded: int = 0
    """Chunks that a model was called for, of the generation that was asked first."""
    tokens: int = 0

    def of(self, generation: Generation) -> dict[str, list[float]]:
        """The vectors that fit a generation."""
        return self.vectors.setdefault((generation.embedding_model, generation.dimensions), {})

    def share(self, one: Generation, other: Generation) -> None:
        """What fits one generation fits another, too."""
        self.vectors[other.embedding_model, other.dimensions] = self.of(one)


async def to_points(
    target: Generation, key: RevisionKey, chunks: Sequence[tuple[DocumentFacts, ChunkInput]], batch: BatchVectors
) -> list[Point]:
    """Chunks of a revision as points of a generation: in its language, with the vectors that `batch` has of it.

    Made in a thread: telling words and languages apart takes about a millisecond a chunk.
    """
    vectors = batch.of(target)
    return await asyncio.to_thread(
        lambda: [
            make_point(key, facts, chunk, vectors[content_hash(chunk)], target.language) for facts, chunk in chunks
        ]
    )


@dataclass(frozen=True, slots=True)
class ChunkVectors:
    """Finds or makes vectors."""

    store: VectorStore
    embedder: Embedder
    batch: int
    concurrency: int

    async def find(
        self,
        source: Generation,
        document_id: str,
        hashes: Mapping[str, ChunkInput],
        batch: BatchVectors,
        stages: Stages,
    ) -> None:
        """Add to `batch` what a generation has of a document's chunks with these contents."""
        known = batch.of(source)
        missing = [each for each in hashes if each not in known]
        if missing:
            with stages.timed("reuse"):
                document = filters.document(document_id)
                known.update(await self.store.get_vectors_by_hash(source.vectors, document, missing))

    def take(self, target: Generation, hashes: Mapping[str, ChunkInput], batch: BatchVectors) -> None:
        """Add to `batch` the vectors that chunks bring along and that a generation can use."""
        known = batch.of(target)
        for content, chunk in hashes.items():
            if content not in known and chunk.embedding is not None:
                vector = decode_embedding(chunk.embedding, target.embedding_model, target.dimensions)
                if vector is not None:
                    known[content] = vector

    async def make(
        self, target: Generation, hashes: Mapping[str, ChunkInput], batch: BatchVectors, stages: Stages, token: str
    ) -> None:
        """Embed what `batch` lacks for a generation; raises what inference raised, or `EmbeddingMismatch`."""
        known = batch.of(target)
        missing = [each for each in hashes if each not in known]
        with stages.timed("embed"):
            new = await self._embed(target, [embedded_text(hashes[each]) for each in missing], token)
        known.update(zip(missing, new.vectors, strict=True))
        batch.embedded += len(missing)
        batch.tokens += new.tokens

    async def _embed(self, target: Generation, texts: Sequence[str], token: str) -> Embeddings:
        """Vectors of all texts, in calls of bounded size of which a bounded number is under way."""
        slots = asyncio.Semaphore(self.concurrency)

        async def one(part: Sequence[str]) -> Embeddings:
            async with slots:
                return await self.embedder.embed(target.embedding_model, part, "bulk", token)

        size = self.batch
        try:
            async with asyncio.TaskGroup() as group:
                calls = [group.create_task(one(texts[at : at + size])) for at in range(0, len(texts), size)]
        except BaseExceptionGroup as failures:  # the first failure has cancelled the other calls
            raise failures.exceptions[0] from None
        parts = [call.result() for call in calls]
        vectors = [vector for part in parts for vector in part.vectors]
        for vector in vectors:
            if len(vector) != target.dimensions:
                raise EmbeddingMismatch(target.embedding_model, target.dimensions, len(vector))
        tokens = sum(part.tokens for part in parts)
        EMBEDDING_TOKENS.labels("bulk").inc(tokens)
        return Embeddings(vectors, tokens)
