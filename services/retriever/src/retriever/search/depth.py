"""How deep the lists of a search are read: until nothing unseen can outrank the page (the threshold algorithm of Fagin,
Lotem and Naor, 2001).

Where the first depth proves nothing, that of the words is read first: the engine has the BM25 score of all matching
points anyway, and can be told the score below which none is needed, so that one reading ends most searches. A deeper
list by meaning costs a longer walk through the index, so it is read where words alone can't prove the page. The other
score of what only one list holds is asked for only where it may bring that into the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass

from retriever.catalog.collections import CollectionRecord
from retriever.search.candidates import CandidateReader, Pool
from retriever.search.fusion import Best, CandidateScores, best_of
from retriever.stores.filters import Where
from retriever.stores.queries import CollectionQuery

FIRST_DEPTH = 64
MAX_DEPTH = 4_096
DEEPER = 4
"""How much more is read of a list each time that a ranking could not be proven."""


@dataclass
class ListDepths:
    """The depths of one search of these collections. Each is asked for `asked` in `where`."""

    reader: CandidateReader
    records: Sequence[CollectionRecord]
    asked: Sequence[CollectionQuery]
    where: Where | None
    deepest: int = MAX_DEPTH

    async def begin(self, wanted: int) -> list[Pool]:
        """The first reading, twice as deep as so many hits."""
        depth = FIRST_DEPTH
        while depth < 2 * wanted:
            depth *= 2
        self.deepest = max(MAX_DEPTH, depth)
        each = zip(self.records, self.asked, strict=True)
        pools = await _all([self.reader.read(record, asked, self.where, depth) for record, asked in each])
        if not any(pool.half for pool in pools):
            return pools
        found = [each for pool in pools for each in pool.found.values()]
        best = best_of_pools(self.records, pools, found)
        least = sorted(best.score(each.collection, each.dense, each.sparse) for each in found)
        lowest = least[-wanted] if len(least) >= wanted else 0.0
        which = zip(pools, self.records, self.asked, strict=True)
        return await _all([self._scored(*each, each[0].undecided(best, lowest)) for each in which])

    async def deeper(self, pools: Sequence[Pool], lowest: float | None, best: Best | None) -> list[Pool] | None:
        """The pools with more of those in which something not ranked may score `lowest` (null: anything is wanted), of
        which a hybrid search knows the `best` scores; null where nothing is left to read.
        """
        each = zip(pools, self.records, self.asked, strict=True)
        deeper = await _all([self._deeper(*which, lowest, best) for which in each])
        return None if all(new is old for new, old in zip(deeper, pools, strict=True)) else deeper

    async def _deeper(
        self, pool: Pool, record: CollectionRecord, asked: CollectionQuery, lowest: float | None, best: Best | None
    ) -> Pool:
        if lowest is None and pool.half:
            return await self._scored(pool, record, asked, pool.half)
        fuller = pool if pool.exhausted else await self._read_on(pool, record, asked, lowest, best)
        if lowest is None or best is None:
            return fuller
        return await self._scored(fuller, record, asked, fuller.undecided(best, lowest))

    async def _read_on(
        self, pool: Pool, record: CollectionRecord, asked: CollectionQuery, lowest: float | None, best: Best | None
    ) -> Pool:
        """The pool with more of a list, if anything unseen may score `lowest` and there is more."""
        depth = min(pool.depth * DEEPER, self.deepest)
        if lowest is None or best is None or asked.dense is None:
            return pool if depth == pool.depth else await self.reader.read(record, asked, self.where, depth)
        if best.score(record.name, pool.unseen_dense, pool.unseen_sparse) < lowest:
            return pool
        needed = best.words_needed(record.name, pool.unseen_dense, lowest)
        if needed > 0 and pool.unseen_sparse is not None and pool.words_depth < depth:
            return await self.reader.read_deeper_by_words(pool, record, asked, self.where, depth, needed)
        return pool if depth == pool.depth else await self.reader.read_deeper(pool, record, asked, self.where, depth)

    async def _scored(self, pool: Pool, record: CollectionRecord, asked: CollectionQuery, ids: Collection[str]) -> Pool:
        return await self.reader.score(pool, record, asked, ids) if ids else pool


def best_of_pools(records: Sequence[CollectionRecord], pools: Sequence[Pool], found: Iterable[CandidateScores]) -> Best:
    """The best scores of these candidates, and how much meaning counts in each collection."""
    models = {record.name: record.embedding_model for record in records}
    weights = {record.name: pool.dense_weight for record, pool in zip(records, pools, strict=True)}
    unrelated = {record.name: pool.unrelated for record, pool in zip(records, pools, strict=True)}
    return best_of(found, models, weights, unrelated)


async def _all(reading: Sequence[Coroutine[None, None, Pool]]) -> list[Pool]:
    """What these read, at once; a single one without a task of its own."""
    return [await reading[0]] if len(reading) == 1 else list(await asyncio.gather(*reading))
