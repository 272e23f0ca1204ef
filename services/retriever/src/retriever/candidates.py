"""Candidates of one collection: both lists read to some depth, each candidate with both scores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from retriever.catalogue import CollectionRecord
from retriever.filters import OneOf, Where
from retriever.fusion import Found, dense_weight
from retriever.ports import VectorStore
from retriever.sparse import SparseVector

SCORE_DIGITS = 5
"""Equal vectors must have equal scores, so that their order is that of their ids; engines differ in the 7th digit."""


Query = Sequence[float] | SparseVector | None


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
    dense_weight: float
    """How much meaning counts beside words for this query, from 0 to 1."""


class CandidateReader:
    """Reads pools; nothing here is kept from one search to the next."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store

    async def read(self, record: CollectionRecord, vectors: Vectors, where: Where | None, depth: int) -> Pool:
        """The best `depth` of each list, visible or not."""
        dense, sparse = await asyncio.gather(
            self._list(record, vectors.dense, where, depth), self._list(record, vectors.sparse, where, depth)
        )
        dense_ended, sparse_ended = len(dense) < depth, len(sparse) < depth
        unseen_dense = None if vectors.dense is None or dense_ended else min(dense.values())
        unseen_sparse = None if vectors.sparse is None or sparse_ended else min(sparse.values())
        weight = dense_weight(list(dense.values()), list(sparse.values()))
        only_sparse = () if dense_ended else tuple(each for each in sparse if each not in dense)
        only_dense = () if sparse_ended else tuple(each for each in dense if each not in sparse)
        more_dense, more_sparse = await asyncio.gather(
            self._scores(record, vectors.dense, only_sparse), self._scores(record, vectors.sparse, only_dense)
        )
        dense |= more_dense
        sparse |= more_sparse
        return Pool(
            found=[Found(record.name, each, dense.get(each), sparse.get(each)) for each in dense | sparse],
            unseen_dense=unseen_dense,
            unseen_sparse=unseen_sparse,
            exhausted=dense_ended if vectors.dense is not None else sparse_ended,
            dense_weight=weight,
        )

    async def _scores(self, record: CollectionRecord, query: Query, ids: tuple[str, ...]) -> dict[str, float]:
        """One list's scores of candidates that only the other list held."""
        return await self._list(record, query, Where(must=(OneOf(ids),)), len(ids)) if ids else {}

    async def _list(self, record: CollectionRecord, query: Query, where: Where | None, depth: int) -> dict[str, float]:
        if query is None or (isinstance(query, SparseVector) and not query.indices):
            return {}
        found = await self._store.nearest(record.vectors, query, where, depth)
        return {each.id: round(each.score, SCORE_DIGITS) for each in found}
