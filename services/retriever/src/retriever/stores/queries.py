"""The two lists of a hybrid search, by meaning and by words, and what a store must be asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from retriever.stores.filters import OneOf, Where
from retriever.text.bm25 import SparseVector


@dataclass(frozen=True, slots=True)
class CollectionQuery:
    """A query's vectors for one collection; null where that list is not searched."""

    dense: Sequence[float] | None
    sparse: SparseVector | None
    unrelated: float = 0.0
    """The cosine of texts that have nothing to do with each other, for the model that made `dense`."""


class ListQuery(NamedTuple):
    """The best `limit` points of one list; of BM25, those that score less than `least` may be left out."""

    query: Sequence[float] | SparseVector
    where: Where | None
    limit: int
    least: float | None = None

    @property
    def is_of_these(self) -> bool:
        """Whether it asks for the scores of points that it names: no index finds those sooner."""
        return self.where is not None and len(self.where.must) == 1 and isinstance(self.where.must[0], OneOf)

    @property
    def may_be_short(self) -> bool:
        """Whether an index may answer it, which may find too little."""
        return not isinstance(self.query, SparseVector) and not self.is_of_these


def nearest(
    query: Sequence[float] | SparseVector | None, where: Where | None, limit: int, least: float | None = None
) -> ListQuery | None:
    """One list; null where there is no query, or none of its words is one."""
    if query is None or (isinstance(query, SparseVector) and not query.indices):
        return None
    return ListQuery(query, where, limit, least)


def scores_of(query: Sequence[float] | SparseVector | None, ids: Sequence[str]) -> ListQuery | None:
    """The scores of these points in one list."""
    return nearest(query, Where(must=(OneOf(tuple(ids)),)), len(ids)) if ids else None
