"""Which candidates may be shown: those whose point names the revision that the catalog shows of its document.

Only what a page rests on is looked at: its hits, and the candidates by whose scores the others are measured. Reading
the identity of each candidate instead costs the engine 4 µs a point, more than the search of an indexed collection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from retriever.catalog.collections import CollectionRecord
from retriever.catalog.revisions import RevisionRepository
from retriever.search.fusion import CandidateScores
from retriever.stores.points import StoredPoint
from retriever.stores.protocol import VectorStore

_AT_ONCE = 4_096
"""Points read in one call; a database takes about 32,000 values in one statement."""


class Visibility:
    """What is known of one search's candidates. `current`: nothing has changed since `records` were read."""

    def __init__(self, store: VectorStore, revisions: RevisionRepository, records: Sequence[CollectionRecord]) -> None:
        self._store = store
        self._revisions = revisions
        self._records = records
        self._known: dict[str, StoredPoint | None] = {}
        self.current = True
        self.checked = False

    def knows(self, found: CandidateScores) -> bool:
        """Whether this candidate was looked at."""
        return found.id in self._known

    def hides(self, found: CandidateScores) -> bool:
        """Whether this candidate was looked at and may not be shown, or is gone."""
        return self._known.get(found.id, found) is None

    def get_point(self, found: CandidateScores) -> StoredPoint | None:
        """The point of a candidate that was looked at; null if it may not be shown."""
        return self._known[found.id]

    async def check(self, wanted: Collection[CandidateScores]) -> None:
        """Look at these candidates, and whether any collection has changed; raises `CollectionGone`."""
        self.checked = True
        await asyncio.gather(
            *(
                self._check(record, [each.id for each in wanted if each.collection == record.name])
                for record in self._records
            )
        )

    async def _check(self, record: CollectionRecord, ids: Sequence[str]) -> None:
        """The catalog is asked after the store, so that a point of a revision that stopped being visible meanwhile
        is dropped.
        """
        for start in range(0, len(ids) or 1, _AT_ONCE):
            part = ids[start : start + _AT_ONCE]
            points = await self._store.get_points(record.vectors, part) if part else {}
            view = await self._revisions.get_view(
                record.id, {point.payload["document_id"] for point in points.values()}
            )
            unchanged = view.collection_revision == record.revision and len(points) == len(part)
            self.current = self.current and unchanged
            for each in part:
                point = points.get(each)
                shown = (
                    point is not None and view.visible.get(point.payload["document_id"]) == point.payload["revision"]
                )
                self._known[each] = point if shown else None
