"""How deep the lists of a search are read: until nothing unseen can outrank the page (the threshold algorithm of Fagin,
Lotem and Naor, 2001).

Where the first depth proves nothing, that of the words is read first: the engine has the BM25 score of all matching
points anyway, and can be told the score below which none is needed, so that one reading ends most searches. A deeper
list by meaning costs a longer walk through the index, so it is read where words alone can't prove the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from retriever.candidates import CandidateReader, Pool
from retriever.catalogue import CollectionRecord
from retriever.filters import Where
from retriever.fusion import Best
from retriever.lists import Asked

FIRST_DEPTH = 64
MAX_DEPTH = 4_096
DEEPER = 4
"""How much more is read of a list each time that a ranking could not be proven."""
WORDS_DEEPER = 8
"""How much deeper the list by words is read than the other."""


@dataclass
class Deepening:
    """The depths of one search of these collections. Each is asked for `asked` in `where`."""

    reader: CandidateReader
    records: Sequence[CollectionRecord]
    asked: Sequence[Asked]
    where: Where | None
    deepest: int = MAX_DEPTH

    async def begin(self, wanted: int) -> list[Pool]:
        """The first reading, twice as deep as so many hits."""
        depth = FIRST_DEPTH
        while depth < 2 * wanted:
            depth *= 2
        self.deepest = max(MAX_DEPTH, depth)
        each = zip(self.records, self.asked, strict=True)
        return list(
            await asyncio.gather(*(self.reader.read(record, asked, self.where, depth) for record, asked in each))
        )

    async def deeper(self, pools: Sequence[Pool], lowest: float | None, best: Best | None) -> list[Pool] | None:
        """The pools with more of those in which something unseen may score `lowest` (null: anything is wanted), of
        which a hybrid search knows the `best` scores; null where nothing is left to read.
        """
        each = zip(pools, self.records, self.asked, strict=True)
        deeper = list(await asyncio.gather(*(self._deeper(*which, lowest, best) for which in each)))
        return None if all(new is old for new, old in zip(deeper, pools, strict=True)) else deeper

    async def _deeper(
        self, pool: Pool, record: CollectionRecord, asked: Asked, lowest: float | None, best: Best | None
    ) -> Pool:
        if pool.exhausted:
            return pool
        depth = min(pool.depth * DEEPER, self.deepest)
        if lowest is None or best is None or asked.dense is None:
            return pool if depth == pool.depth else await self.reader.read(record, asked, self.where, depth)
        if best.score(record.name, pool.unseen_dense, pool.unseen_sparse) < lowest:
            return pool
        words_depth = min(pool.depth * WORDS_DEEPER, self.deepest)
        needed = best.words_needed(record.name, pool.unseen_dense, lowest)
        if needed > 0 and pool.unseen_sparse is not None and pool.words_depth < words_depth:
            return await self.reader.deeper_by_words(pool, record, asked, self.where, words_depth, needed)
        return pool if depth == pool.depth else await self.reader.deeper(pool, record, asked, self.where, depth)
