"""Candidates of one collection: both lists read to some depth, each candidate with both scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from retriever.catalogue import CollectionRecord
from retriever.filters import Where
from retriever.fusion import Found, dense_weight
from retriever.lists import Asked
from retriever.ports import VectorStore

SCORE_DIGITS = 5
"""Equal vectors must have equal scores, so that their order is that of their ids; engines differ in the 7th digit."""


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

    async def read(self, record: CollectionRecord, asked: Asked, where: Where | None, depth: int) -> Pool:
        """The best `depth` of each list, visible or not."""
        lists = await self._store.lists(record.vectors, asked, where, depth)
        dense, sparse = _rounded(lists.dense), _rounded(lists.sparse)
        dense_ended, sparse_ended = len(dense) < depth, len(sparse) < depth
        unseen_dense = None if dense_ended else min(dense.values())
        unseen_sparse = None if sparse_ended else min(sparse.values())
        weight = dense_weight(list(dense.values()), list(sparse.values()))
        dense |= _rounded(lists.dense_of_others)
        sparse |= _rounded(lists.sparse_of_others)
        return Pool(
            found=[Found(record.name, each, dense.get(each), sparse.get(each)) for each in dense | sparse],
            unseen_dense=unseen_dense,
            unseen_sparse=unseen_sparse,
            exhausted=dense_ended if asked.dense is not None else sparse_ended,
            dense_weight=weight,
        )


def _rounded(scores: Mapping[str, float]) -> dict[str, float]:
    return {each: round(score, SCORE_DIGITS) for each, score in scores.items()}
