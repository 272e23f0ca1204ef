"""Points: what the vector store keeps of a chunk, and how a point becomes a hit or a chunk again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from contracts.documents.documents import DocumentChunk
from contracts.retrieval.chunks import ChunkInput, DocumentFacts
from contracts.retrieval.search import Hit, Scores
from retriever.stores.filters import number_paths, tags
from retriever.text.bm25 import SparseVector, document_vector
from retriever.text.languages import AUTO

NAMESPACE = UUID("8f2c6a52-6d0e-5f4e-9a53-0f3f6f0a7c11")
KEYWORD_FIELDS = ("document_id", "tags", "hash")
INTEGER_FIELDS = ("revision", "page", "ordinal")
"""What points are looked for by. Without an index over `hash` each batch reads all chunks of its document."""
MAX_NUMBER_INDEXES = 32
"""Fields of metadata that get an index for ranges, when they are first written; further ones are searched slowly."""


@dataclass(frozen=True, slots=True)
class Point:
    """One chunk with both vectors."""

    id: str
    dense: list[float]
    sparse: SparseVector
    payload: dict[str, Any]


def number_fields(points: Iterable[Point]) -> set[str]:
    """The fields of these points' metadata that hold numbers."""
    return {path for point in points for path in number_paths(point.payload.get("metadata", {}))}


class Candidate(NamedTuple):
    """A point that a search found; `score` is the cosine or the BM25 score."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class StoredPoint:
    """A point read back without its vectors."""

    id: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RevisionKey:
    """One revision of one document of one collection (by the collection's own id: a name can be used again)."""

    collection_id: str
    document_id: str
    revision: int

    def chunk_id(self, ordinal: int) -> str:
        """The id of a chunk's point: uuid5 of (collection, document, revision, ordinal)."""
        return str(uuid5(NAMESPACE, f"{self.collection_id}\n{self.document_id}\n{self.revision}\n{ordinal}"))


def embedded_text(chunk: ChunkInput) -> str:
    """What is embedded and searched: the context header, then the text."""
    return f"{chunk.header}\n{chunk.text}" if chunk.header else chunk.text


def content_hash(chunk: ChunkInput) -> str:
    """Equal for two chunks exactly when their header and text are; such chunks share a vector."""
    return hashlib.blake2b(f"{chunk.header}\0{chunk.text}".encode(), digest_size=20).hexdigest()


def make_point(
    key: RevisionKey, facts: DocumentFacts, chunk: ChunkInput, dense: list[float], language: str = AUTO
) -> Point:
    """The point of a chunk of a collection in `language`. The header is kept: another model may embed it later."""
    payload: dict[str, Any] = {
        "document_id": key.document_id,
        "revision": key.revision,
        "ordinal": chunk.ordinal,
        "hash": content_hash(chunk),
        "tags": tags(key.document_id, facts, chunk.page),
        "text": chunk.text,
        "header": chunk.header,
        "start": chunk.start,
        "end": chunk.end,
        "heading_path": chunk.heading_path,
        **facts.model_dump(mode="json"),
    }
    if chunk.page is not None:
        payload["page"] = chunk.page
    return Point(key.chunk_id(chunk.ordinal), dense, document_vector(embedded_text(chunk), language), payload)


def facts_and_chunk(stored: StoredPoint) -> tuple[DocumentFacts, ChunkInput]:
    """What a point was made from."""
    payload = stored.payload
    facts = DocumentFacts(**{name: payload[name] for name in DocumentFacts.model_fields})
    chunk = ChunkInput(**{name: payload[name] for name in ChunkInput.model_fields if name in payload})
    return facts, chunk


def make_hit(collection: str, stored: StoredPoint, score: float, scores: Scores) -> Hit:
    """A point as a search shows it."""
    payload = stored.payload
    return Hit(
        collection=collection,
        document_id=payload["document_id"],
        revision=payload["revision"],
        chunk_id=stored.id,
        title=payload["title"],
        source=payload["source"],
        text=payload["text"],
        score=score,
        scores=scores,
        page=payload.get("page"),
        heading_path=payload["heading_path"],
        start=payload["start"],
        end=payload["end"],
        metadata=payload["metadata"],
    )


def make_chunk(stored: StoredPoint) -> DocumentChunk:
    """A point as a document's list of chunks shows it."""
    payload = stored.payload
    return DocumentChunk(
        chunk_id=stored.id,
        ordinal=payload["ordinal"],
        revision=payload["revision"],
        text=payload["text"],
        start=payload["start"],
        end=payload["end"],
        page=payload.get("page"),
        heading_path=payload["heading_path"],
        header=payload.get("header", ""),
    )
