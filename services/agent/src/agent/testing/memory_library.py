"""A library of given documents, for tests and trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.documents.documents import DocumentChunk
from contracts.retrieval.collections import Chunking, Collection
from servicekit.core.errors import NotFound


@dataclass
class MemoryLibrary:
    """A `Library` of documents by collection and id."""

    documents: Mapping[tuple[str, str], list[DocumentChunk]] = field(default_factory=dict)

    async def collections(self, token: str) -> list[str]:
        """The collections that have documents."""
        return sorted({collection for collection, _ in self.documents})

    async def collection(self, name: str, token: str) -> Collection:
        """A collection with as many documents as it was given."""
        held = [chunks for (collection, _), chunks in self.documents.items() if collection == name]
        return Collection(
            name=name,
            embedding_model="default",
            dimensions=1,
            max_input_tokens=256,
            chunking=Chunking(),
            documents=len(held),
            chunks=sum(map(len, held)),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )

    async def chunks(self, collection: str, document_id: str, token: str) -> list[DocumentChunk]:
        """A document's chunks."""
        try:
            return self.documents[collection, document_id]
        except KeyError:
            raise NotFound("There is no such document.") from None

    async def probe(self) -> None:
        """It is always there."""
