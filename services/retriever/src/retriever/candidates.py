"""Candidates of one collection: both lists read to some depth, without what is not visible."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from retriever.catalogue import CollectionRecord
from retriever.filters import OneOf, Where
from retriever.fusion import Found
from retriever.points import Candidate
from retriever.ports import VectorStore
from retriever.revisions import Revisions
from retriever.sparse import SparseVector

SCORE_DIGITS = 5
"""Equal vectors must have equal scores, so that their order is that of their ids; engines differ in the 7th digit."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """A query's vectors for one collection; null where that list is not searched."""

    dense: list[float] | None
    sparse: SparseVector | None


@dataclass(frozen=True, slots=True)
class Pool:
    """What one collection offers.

    Whatever is not in `found` scores at most `unseen_dense` and `unseen_sparse`; both null when nothing is left.
    """

    found: list[Found]
    unseen_dense: float | None
    unseen_sparse: float | None
    exhausted: bool
    collection_revision: int


class CandidateReader:
    """Reads pools; nothing here is kept from one search to the next."""

    def __init__(self, store: VectorStore, revisions: Revisions) -> None:
        self._store = store
        self._revisions = revisions

    async def read(self, record: CollectionRecord, vectors: Vectors, where: Where | None, depth: int) -> Pool:
        """The best `depth` of each list. The catalogue is asked after the store, so that a point of a revision that
        stopped being visible meanwhile is dropped; `collection_revision` tells whether any change came between.
        """
        dense, sparse = await asyncio.gather(
            self._list(record, vectors.dense, where, depth), self._list(record, vectors.sparse, where, depth)
        )
        documents = {found.document_id for found in (*dense, *sparse)}
        view = await self._revisions.view(record.id, documents)
        merged = {
            found.id: found for found in (*dense, *sparse) if view.visible.get(found.document_id) == found.revision
        }
        dense_ended, sparse_ended = len(dense) < depth, len(sparse) < depth
        dense_scores, sparse_scores = await asyncio.gather(
            self._complete(record, vectors.dense, merged, dense, ended=dense_ended),
            self._complete(record, vectors.sparse, merged, sparse, ended=sparse_ended),
        )
        return Pool(
            found=[
                Found(record.name, found.id, found.document_id, dense_scores.get(found.id), sparse_scores.get(found.id))
                for found in merged.values()
            ],
            unseen_dense=None if vectors.dense is None or dense_ended else dense[-1].score,
            unseen_sparse=None if vectors.sparse is None or sparse_ended else sparse[-1].score,
            exhausted=dense_ended if vectors.dense is not None else sparse_ended,
            collection_revision=view.collection_revision,
        )

    async def _list(
        self, record: CollectionRecord, query: Sequence[float] | SparseVector | None, where: Where | None, depth: int
    ) -> list[Candidate]:
        if query is None or (isinstance(query, SparseVector) and not query.indices):
            return []
        found = await self._store.nearest(record.vectors, query, where, depth)
        return [replace(each, score=round(each.score, SCORE_DIGITS)) for each in found]

    async def _complete(
        self,
        record: CollectionRecord,
        query: Sequence[float] | SparseVector | None,
        merged: dict[str, Candidate],
        found: Iterable[Candidate],
        *,
        ended: bool,
    ) -> dict[str, float]:
        """This list's score of every candidate, also of those that only the other list held."""
        scores = {each.id: each.score for each in found}
        missing = tuple(each for each in merged if each not in scores)
        if missing and not ended and query is not None:
            only = Where(must=(OneOf(missing),))
            scores |= {each.id: each.score for each in await self._list(record, query, only, len(missing))}
        return scores
