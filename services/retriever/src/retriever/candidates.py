"""Candidates of one collection: both lists read to some depth, each candidate with both scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from retriever.catalogue import CollectionRecord
from retriever.filters import Where
from retriever.fusion import Found, dense_weight
from retriever.lists import Asked, nearest, scores_of
from retriever.points import Candidate
from retriever.ports import VectorStore

SCORE_DIGITS = 5
"""Equal vectors must have equal scores, so that their order is that of their ids; engines differ in the 7th digit."""
_STEP: float = 10**-SCORE_DIGITS


@dataclass(frozen=True, slots=True)
class Pool:
    """What one collection offers.

    Whatever is not in `found` scores at most `unseen_dense` and `unseen_sparse`; both null when nothing is left.
    `depth` and `words_depth` are how much of each list was asked for.
    """

    found: Mapping[str, Found]
    unseen_dense: float | None
    unseen_sparse: float | None
    exhausted: bool
    dense_weight: float
    """How much meaning counts beside words for this query, from 0 to 1."""
    depth: int
    words_depth: int


@dataclass(frozen=True, slots=True)
class CandidateReader:
    """Reads pools; nothing here is kept from one search to the next."""

    store: VectorStore

    async def read(self, record: CollectionRecord, asked: Asked, where: Where | None, depth: int) -> Pool:
        """The best `depth` of each list, visible or not."""
        both = (nearest(asked.dense, where, depth), nearest(asked.sparse, where, depth))
        dense, sparse = map(_rounded, await self.store.search(record.vectors, both))
        empty = Pool(
            found={},
            unseen_dense=_last(dense, depth),
            unseen_sparse=_last(sparse, depth),
            exhausted=len(sparse if asked.dense is None else dense) < depth,
            dense_weight=dense_weight([*dense.values()], [*sparse.values()]),
            depth=depth,
            words_depth=depth,
        )
        return await self._with(empty, record, asked, dense, sparse)

    async def deeper(self, pool: Pool, record: CollectionRecord, asked: Asked, where: Where | None, depth: int) -> Pool:
        """The pool with the best `depth` by meaning."""
        (found,) = await self.store.search(record.vectors, [nearest(asked.dense, where, depth)])
        dense = _rounded(found)
        fuller = replace(pool, unseen_dense=_last(dense, depth), exhausted=len(dense) < depth, depth=depth)
        return await self._with(fuller, record, asked, dense, {})

    async def deeper_by_words(
        self, pool: Pool, record: CollectionRecord, asked: Asked, where: Where | None, depth: int, below: float
    ) -> Pool:
        """The pool with the best `depth` by words, or as many as it takes for all others to score less than `below`."""
        least = below - 3 * _STEP
        (found,) = await self.store.search(record.vectors, [nearest(asked.sparse, where, depth, least)])
        sparse = _rounded(found)
        last = _last(sparse, depth)
        fuller = replace(pool, unseen_sparse=least + _STEP if last is None else last, words_depth=depth)
        return await self._with(fuller, record, asked, {}, sparse)

    async def _with(
        self,
        pool: Pool,
        record: CollectionRecord,
        asked: Asked,
        dense: Mapping[str, float],
        sparse: Mapping[str, float],
    ) -> Pool:
        """The pool and what was found, each with both scores: asked for where a list that goes on doesn't hold it."""
        new = [each for each in {**dense, **sparse} if each not in pool.found]
        more = await self.store.search(
            record.vectors,
            (
                None if pool.unseen_dense is None else scores_of(asked.dense, _outside(new, dense)),
                None if pool.unseen_sparse is None else scores_of(asked.sparse, _outside(new, sparse)),
            ),
        )
        dense, sparse = ({**known, **_rounded(others)} for known, others in zip((dense, sparse), more, strict=True))
        found = {each: Found(record.name, each, dense.get(each), sparse.get(each)) for each in new}
        return replace(pool, found={**pool.found, **found})


def _outside(ids: Iterable[str], known: Mapping[str, float]) -> list[str]:
    return [each for each in ids if each not in known]


def _last(scores: Mapping[str, float], depth: int) -> float | None:
    """The lowest score of a list that goes on."""
    return None if len(scores) < depth else min(scores.values())


def _rounded(found: Sequence[Candidate]) -> dict[str, float]:
    return {each: round(score, SCORE_DIGITS) for each, score in found}
