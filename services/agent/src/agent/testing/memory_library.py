"""A library of given documents, for tests and trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.documents.documents import DocumentChunk
from servicekit.core.errors import NotFound


@dataclass
class MemoryLibrary:
    """A `Library` of documents by collection and id."""

    documents: Mapping[tuple[str, str], list[DocumentChunk]] = field(default_factory=dict)

    async def collections(self, token: str) -> list[str]:
        """The collections that have documents."""
        return sorted({collection for collection, _ in self.documents})

    async def chunks(self, collection: str, document_id: str, token: str) -> list[DocumentChunk]:
        """A document's chunks."""
        try:
            return self.documents[collection, document_id]
        except KeyError:
            raise NotFound("There is no such document.") from None

    async def probe(self) -> None:
        """It is always there."""
