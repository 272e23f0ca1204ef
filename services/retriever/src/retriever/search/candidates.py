"""Candidates of one collection: both lists read to some depth, and both scores of each candidate that may matter."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from retriever.catalog.collections import CollectionRecord
from retriever.search.fusion import Best, CandidateScores, dense_weight
from retriever.stores.filters import Where
from retriever.stores.points import Candidate
from retriever.stores.protocol import VectorStore
from retriever.stores.queries import CollectionQuery, nearest, scores_of

SCORE_DIGITS = 5
"""Equal vectors must have equal scores, so that their order is that of their ids; engines differ in the 7th digit."""
_STEP: float = 10**-SCORE_DIGITS


@dataclass(frozen=True, slots=True)
class Pool:
    """What one collection offers.

    Of those in `half` only one score is known yet, the other is null: at most `unseen_dense` or `unseen_sparse`. What
    is not in `found` has at most both of these; null where nothing is left. `depth` and `words_depth` are how much of
    each list was asked for.
    """

    found: Mapping[str, CandidateScores]
    half: frozenset[str]
    unseen_dense: float | None
    unseen_sparse: float | None
    exhausted: bool
    dense_weight: float
    """How much meaning counts beside words for this query, from 0 to 1."""
    depth: int
    words_depth: int
    unrelated: float = 0.0
    """The cosine that says nothing: meaning counts above it."""

    def upper_bound(self, each: str, best: Best) -> float:
        """The highest score that one of `half` can have."""
        name, _, dense, sparse = self.found[each]
        return best.score(
            name, self.unseen_dense if dense is None else dense, self.unseen_sparse if sparse is None else sparse
        )

    def undecided(self, best: Best, lowest: float) -> list[str]:
        """Those of `half` that may score as much as `lowest`."""
        return [each for each in self.half if self.upper_bound(each, best) >= lowest]


@dataclass(frozen=True, slots=True)
class CandidateReader:
    """Reads pools; nothing here is kept from one search to the next."""

    store: VectorStore

    async def read(self, record: CollectionRecord, asked: CollectionQuery, where: Where | None, depth: int) -> Pool:
        """The best `depth` of each list, visible or not."""
        both = (nearest(asked.dense, where, depth), nearest(asked.sparse, where, depth))
        dense, sparse = map(_rounded, await self.store.search(record.vectors, both))
        empty = Pool(
            found={},
            half=frozenset(),
            unseen_dense=_last(dense, depth),
            unseen_sparse=_last(sparse, depth),
            exhausted=len(sparse if asked.dense is None else dense) < depth,
            dense_weight=0.0 if asked.dense is None else _weight(asked, dense, sparse),
            depth=depth,
            words_depth=depth,
            unrelated=asked.unrelated,
        )
        return _joined(empty, record.name, asked, dense, sparse)

    async def read_deeper(
        self, pool: Pool, record: CollectionRecord, asked: CollectionQuery, where: Where | None, depth: int
    ) -> Pool:
        """The pool with the best `depth` by meaning."""
        (found,) = await self.store.search(record.vectors, [nearest(asked.dense, where, depth)])
        dense = _rounded(found)
        fuller = replace(pool, unseen_dense=_last(dense, depth), exhausted=len(dense) < depth, depth=depth)
        return _joined(fuller, record.name, asked, dense, {})

    async def read_deeper_by_words(
        self,
        pool: Pool,
        record: CollectionRecord,
        asked: CollectionQuery,
        where: Where | None,
        depth: int,
        below: float,
    ) -> Pool:
        """The pool with the best `depth` by words, or as many as it takes for all others to score less than `below`."""
        least = below - 3 * _STEP
        (found,) = await self.store.search(record.vectors, [nearest(asked.sparse, where, depth, least)])
        sparse = _rounded(found)
        last = _last(sparse, depth)
        fuller = replace(pool, unseen_sparse=least + _STEP if last is None else last, words_depth=depth)
        return _joined(fuller, record.name, asked, {}, sparse)

    async def score(self, pool: Pool, record: CollectionRecord, asked: CollectionQuery, ids: Collection[str]) -> Pool:
        """The pool with both scores of these that are in `half`."""
        lacking = (
            scores_of(asked.dense, [each for each in ids if pool.found[each].dense is None]),
            scores_of(asked.sparse, [each for each in ids if pool.found[each].sparse is None]),
        )
        dense, sparse = map(_rounded, await self.store.search(record.vectors, lacking))
        scored = {each: _completed(pool.found[each], dense.get(each), sparse.get(each)) for each in ids}
        return replace(pool, found={**pool.found, **scored}, half=pool.half - scored.keys())


def _weight(asked: CollectionQuery, dense: Mapping[str, float], sparse: Mapping[str, float]) -> float:
    terms = 0 if asked.sparse is None else len(asked.sparse.indices)
    return dense_weight([each - asked.unrelated for each in dense.values()], [*sparse.values()], terms)


def _joined(
    pool: Pool, name: str, asked: CollectionQuery, dense: Mapping[str, float], sparse: Mapping[str, float]
) -> Pool:
    """The pool with what was found of either list. A list that has ended does not hold what it has not shown."""
    found = dict(pool.found)
    half = set(pool.half)
    for each in {**dense, **sparse}:
        known = found.get(each)
        if known is None or each in half:
            found[each] = _completed(
                known or CandidateScores(name, each, None, None), dense.get(each), sparse.get(each)
            )
            half.add(each)
    whole = asked.dense is None or asked.sparse is None
    for each in [*half]:
        _, _, by_meaning, by_words = found[each]
        no_meaning = by_meaning is None and pool.unseen_dense is not None
        no_words = by_words is None and pool.unseen_sparse is not None
        if whole or not (no_meaning or no_words):
            half.discard(each)
    return replace(pool, found=found, half=frozenset(half))


def _completed(found: CandidateScores, dense: float | None, sparse: float | None) -> CandidateScores:
    return CandidateScores(
        found.collection,
        found.id,
        dense if found.dense is None else found.dense,
        sparse if found.sparse is None else found.sparse,
    )


def _last(scores: Mapping[str, float], depth: int) -> float | None:
    """The lowest score of a list that goes on."""
    return None if len(scores) < depth else min(scores.values())


def _rounded(found: Sequence[Candidate]) -> dict[str, float]:
    return {each: round(score, SCORE_DIGITS) for each, score in found}
