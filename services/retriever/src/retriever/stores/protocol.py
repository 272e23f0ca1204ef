"""The vector store as the service uses it; `edge` and `qdrant` pass one conformance suite."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.retrieval.collections import VectorOptions
from retriever.stores.filters import Where
from retriever.stores.points import Candidate, Point, StoredPoint
from retriever.stores.queries import ListQuery
from retriever.text.bm25 import SparseVector

PLAIN = VectorOptions()


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """How far a generation's dense vectors are indexed. Points that are not are compared one by one, beside the index.

    `building` says that an index is being built now.
    """

    points: int
    indexed_points: int
    building: bool


class VectorStore(Protocol):
    """Keeps generations of points. A write is on disk when its call returns; every call may be repeated.

    Calls raise `VectorStoreUnavailable` when the engine can't be reached, and `GenerationMissing` for an unknown one.
    """

    async def create_generation(self, generation: str, dimensions: int, options: VectorOptions = PLAIN) -> None:
        """Make an empty generation with cosine and BM25 vectors; does nothing if it exists, whatever its options."""
        ...

    async def delete_generation(self, generation: str) -> None:
        """Remove a generation with all its points; does nothing if there is none."""
        ...

    async def list_generations(self) -> list[str]:
        """The names of all generations, in order."""
        ...

    async def get_index_status(self, generation: str) -> IndexStatus:
        """How many points there are and how many of them an index covers."""
        ...

    async def upsert_points(self, generation: str, points: Sequence[Point]) -> None:
        """Write points; one with a known id replaces the old one."""
        ...

    async def delete_points(self, generation: str, where: Where) -> int:
        """Remove the points that match and say how many there were."""
        ...

    async def count_points(self, generation: str, where: Where) -> int:
        """How many points match."""
        ...

    async def nearest(
        self, generation: str, query: Sequence[float] | SparseVector, where: Where | None, limit: int
    ) -> list[Candidate]:
        """The best matching points: by cosine for a dense query, by BM25 for a sparse one, then by id.

        Fewer than `limit` only where no more match, also where an index is searched.
        """
        ...

    async def search(self, generation: str, wanted: Sequence[ListQuery | None]) -> list[list[Candidate]]:
        """What `nearest` says to each of these, none to one that is null; in one call where the engine can."""
        ...

    async def get_vectors_by_hash(
        self, generation: str, where: Where, hashes: Collection[str]
    ) -> dict[str, list[float]]:
        """The dense vectors of matching points whose content hash is one of these, by hash."""
        ...

    async def get_points(self, generation: str, ids: Sequence[str]) -> dict[str, StoredPoint]:
        """The points with these ids that exist."""
        ...

    async def get_vectors(self, generation: str, ids: Sequence[str]) -> dict[str, list[float]]:
        """The dense vectors of the points with these ids that exist, of unit length."""
        ...

    async def close(self) -> None:
        """Release the engine."""
        ...
