"""The two lists of a hybrid search, by meaning and by words, and what a store must be asked for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from retriever.filters import OneOf, Where
from retriever.points import Candidate
from retriever.sparse import SparseVector


@dataclass(frozen=True, slots=True)
class Asked:
    """A query's vectors for one collection; null where that list is not searched."""

    dense: Sequence[float] | None
    sparse: SparseVector | None


@dataclass(frozen=True, slots=True)
class Lists:
    """The best points of each list in order, with their scores, and each list's scores of the other's points.

    A point that is in no mapping of a list is not in that list.
    """

    dense: Mapping[str, float]
    sparse: Mapping[str, float]
    dense_of_others: Mapping[str, float]
    sparse_of_others: Mapping[str, float]


class Wanted(NamedTuple):
    """The best `limit` points of one list."""

    query: Sequence[float] | SparseVector
    where: Where | None
    limit: int

    @property
    def is_dense(self) -> bool:
        """Whether an index may answer it, which may find too little."""
        return not isinstance(self.query, SparseVector)


def wanted(asked: Asked, where: Where | None, depth: int) -> tuple[Wanted | None, Wanted | None]:
    """Both lists; null for one that is not searched or whose query has no term."""
    dense = None if asked.dense is None else Wanted(asked.dense, where, depth)
    sparse = None if asked.sparse is None or not asked.sparse.indices else Wanted(asked.sparse, where, depth)
    return dense, sparse


def wanted_of_others(
    lists: tuple[Wanted | None, Wanted | None], dense: Sequence[Candidate], sparse: Sequence[Candidate]
) -> tuple[Wanted | None, Wanted | None]:
    """Each list's scores of what only the other holds: none of a list that was read to its end."""
    return _besides(lists[0], dense, sparse), _besides(lists[1], sparse, dense)


def _besides(asked: Wanted | None, these: Sequence[Candidate], others: Sequence[Candidate]) -> Wanted | None:
    if asked is None or len(these) < asked.limit:
        return None
    held = {each.id for each in these}
    ids = tuple(each.id for each in others if each.id not in held)
    return Wanted(asked.query, Where(must=(OneOf(ids),)), len(ids)) if ids else None
