"""Which revision of a document may be written and which is visible: the rows that fence late writers off.

`active` is visible; while it is null, `pending` is (a first revision is searchable as it arrives). Nothing at or below
`fence` may be written. A row with neither is the fence of a deleted document.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from contracts.retrieval.chunks import DocumentFacts
from retriever.catalog.collections import ACTIVE, CollectionRepository
from retriever.catalog.generations import VISIBLE, CollectionGone, Generation, GenerationRepository, LiveGenerations
from retriever.catalog.tables import collections, documents
from retriever.errors import StaleRevision
from retriever.stores.points import RevisionKey
from servicekit.core.clock import Clock
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction


class GenerationChanged(Exception):
    """Another generation became active while the vectors of the earlier one were looked at."""


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document's row."""

    active: int | None
    pending: int | None
    fence: int
    chunks: int

    @property
    def visible(self) -> int | None:
        """The revision that searches may show."""
        return self.pending if self.active is None else self.active


@dataclass(frozen=True, slots=True)
class CollectionView:
    """What one collection shows at one moment: its revision number, and the visible revision of some documents."""

    collection_revision: int
    visible: Mapping[str, int]


class RevisionRepository:
    """Documents' rows; each change of state is one conditional statement.

    Calls that write or view raise `CollectionGone` when the collection was deleted meanwhile.
    """

    def __init__(
        self, database: Database, clock: Clock, collection_rows: CollectionRepository, generations: GenerationRepository
    ) -> None:
        self._database = database
        self._clock = clock
        self._collections = collection_rows
        self._generations = generations

    async def create_pending(self, key: RevisionKey, facts: DocumentFacts) -> None:
        """Note that chunks of a revision arrive; raises `StaleRevision`."""
        columns = documents.c
        fresh = self._row(key, pending=key.revision, fence=0, chunks=0, facts=facts)
        higher = case((columns.pending > key.revision, columns.pending), else_=key.revision)
        changed = {"pending": higher, "updated_at": self._clock.now()}
        async with self._database.write() as connection:
            await self._upsert(connection, key, fresh, changed, columns.fence < key.revision)

    async def record_batch(self, key: RevisionKey, layout: int, written: Set[int], missed: Set[int]) -> set[int]:
        """Make a batch count once every live generation of its layout has it, and return those that don't have it yet.

        `written` holds the numbers of those that have it; one in `missed` is done without, and the document is to be
        copied there. Raises `StaleRevision` if a commit or deletion overtook the batch, and `LayoutGone`. A batch of a
        revision that is visible already (a first one) raises the collection's revision.
        """
        async with self._database.write() as connection:
            live = await self._generations.lock_live(connection, key.collection_id)
            state = await self._get_state(connection, key)
            if state is None or state.fence >= key.revision:
                raise StaleRevision(key.document_id, key.revision, 0 if state is None else state.fence)
            wanted = {each.number for each in live.of_layout(layout)}
            if lacking := wanted - written - (missed - {live.active.number}):
                return lacking
            if wanted - written:
                await connection.execute(update(documents).where(_is(key)).values(_MISSED))
            if state.visible == key.revision:
                await self._collections.raise_revision(connection, key.collection_id)
            return set()

    async def commit_revision(
        self, key: RevisionKey, facts: DocumentFacts, chunks: int, checked: LiveGenerations, *, whole: bool
    ) -> int:
        """Make a revision the visible one and return the collection's new revision; raises `StaleRevision`.

        `checked` are the generations that were looked at, `whole` says whether the shadow among them has all chunks.
        Raises `GenerationChanged` when another one is active by now.
        """
        columns = documents.c
        async with self._database.write() as connection:
            live = await self._generations.lock_live(connection, key.collection_id)
            if live.active.number != checked.active.number:
                raise GenerationChanged
            whole = whole and live.shadow is not None and live.shadow == checked.shadow
            fresh = self._row(key, pending=None, fence=key.revision, chunks=chunks, facts=facts, active=key.revision)
            fresh["uncopied"] = live.shadow is not None and not whole
            changed = {
                "active": key.revision,
                "pending": case((columns.pending > key.revision, columns.pending), else_=null()),
                "fence": key.revision,
                "chunks": chunks,
                "cleanup": True,
                "uncopied": _left_uncopied(live, key, whole=whole),
                "facts": facts.model_dump(mode="json"),
                "updated_at": self._clock.now(),
            }
            await self._upsert(connection, key, fresh, changed, columns.fence < key.revision)
            revision = await self._collections.raise_revision(connection, key.collection_id)
            if revision is None:
                raise CollectionGone
            return revision

    async def delete_revisions(self, key: RevisionKey) -> None:
        """Delete revisions up to the key's: they vanish from search, and late batches are refused for good."""
        columns = documents.c
        fresh = self._row(key, pending=None, fence=key.revision, chunks=0, facts=None)
        raised = case((columns.fence > key.revision, columns.fence), else_=key.revision)
        hidden = or_(columns.active <= key.revision, columns.pending <= key.revision)
        kept = or_(columns.active > key.revision, columns.pending > key.revision)
        async with self._database.write() as connection:
            await self._generations.lock_live(connection, key.collection_id)
            await self._upsert(connection, key, fresh, {"fence": raised, "cleanup": True}, columns.fence >= 0)
            statement = (
                update(documents)
                .where(_is(key), hidden)
                .values(
                    active=case((columns.active <= key.revision, null()), else_=columns.active),
                    pending=case((columns.pending <= key.revision, null()), else_=columns.pending),
                    chunks=case((columns.active <= key.revision, 0), else_=columns.chunks),
                    uncopied=case((kept, true()), else_=false()),
                    updated_at=self._clock.now(),
                )
                .returning(columns.document_id)
            )
            if (await connection.execute(statement)).first() is not None:
                await self._collections.raise_revision(connection, key.collection_id)

    async def may_stage(self, key: RevisionKey) -> bool:
        """Whether chunks of a revision may be written into a shadow: it is the active one, or still to come."""
        state = await self.get_state(key.collection_id, key.document_id)
        return state is not None and _may_stage(state, key.revision)

    async def mark_staged(self, key: RevisionKey, shadow: Generation, chunks: int) -> bool:
        """Note that a shadow has a revision whole, cut anew; whether it may, and the shadow is still being built."""
        columns = documents.c
        async with self._database.write() as connection:
            live = await self._generations.lock_live(connection, key.collection_id)
            state = await self._get_state(connection, key)
            if live.shadow is None or live.shadow.number != shadow.number:
                return False
            if state is None or not _may_stage(state, key.revision):
                return False
            copied = case((columns.active == key.revision, false()), else_=columns.uncopied)
            values = {"staged": key.revision, "staged_chunks": chunks, "uncopied": copied}
            await connection.execute(update(documents).where(_is(key)).values(**values))
            return True

    async def mark_copied(self, key: RevisionKey, shadow: Generation, misses: int) -> bool:
        """Note that the shadow has a document's visible revision whole, if that is still the one and nothing of it was
        missed since `misses` were counted; whether that is so.
        """
        async with self._database.write() as connection:
            live = await self._generations.lock_live(connection, key.collection_id)
            if live.shadow is None or live.shadow.number != shadow.number:
                return False
            same = (VISIBLE.is_not_distinct_from(key.revision), documents.c.misses == misses)
            this = update(documents).where(_is(key), *same).values(uncopied=False)
            return (await connection.execute(this.returning(documents.c.document_id))).first() is not None

    async def mark_clean(self, key: RevisionKey) -> None:
        """Note that no hidden points up to the key's revision are left."""
        statement = update(documents).where(_is(key), documents.c.fence == key.revision).values(cleanup=False)
        await self._database.write(lambda connection: connection.execute(statement))

    async def list_cleanups(self, limit: int) -> list[tuple[RevisionKey, DocumentState]]:
        """Documents of active collections of which hidden points may be left, with the revision to clean up to."""
        query = (
            select(documents)
            .join(collections, collections.c.id == documents.c.collection_id)
            .where(documents.c.cleanup.is_(True), collections.c.state == ACTIVE)
            .order_by(documents.c.collection_id, documents.c.document_id)
            .limit(limit)
        )
        rows = await self._database.read(rows_of(query))
        return [(RevisionKey(row["collection_id"], row["document_id"], row["fence"]), _state(row)) for row in rows]

    async def get_state(self, collection_id: str, document_id: str) -> DocumentState | None:
        """A document's row, if it was ever written or deleted."""
        rows = await self._database.read(
            rows_of(_ROW, {"collection": collection_id, "document": document_id}), at_once=True
        )
        return _state(rows[0]) if rows else None

    async def get_view(self, collection_id: str, document_ids: Collection[str]) -> CollectionView:
        """What these documents show now; raises `CollectionGone`."""
        rows = await self._database.read(
            rows_of(_VIEW, {"collection": collection_id, "documents": list(document_ids)}), at_once=True
        )
        if not rows:
            raise CollectionGone
        visible = {row["document_id"]: row["shown"] for row in rows if row["document_id"] is not None}
        return CollectionView(rows[0]["revision"], visible)

    async def _get_state(self, connection: Transaction, key: RevisionKey) -> DocumentState | None:
        values = {"collection": key.collection_id, "document": key.document_id}
        row = (await connection.execute(_ROW, values)).mappings().one_or_none()
        return None if row is None else _state(row)

    async def _upsert(
        self,
        connection: Transaction,
        key: RevisionKey,
        fresh: Mapping[str, Any],
        changed: Mapping[str, Any],
        allowed: ColumnElement[bool],
    ) -> None:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        statement = (
            dialect.insert(documents)
            .values(**fresh)
            .on_conflict_do_update(index_elements=["collection_id", "document_id"], set_=dict(changed), where=allowed)
            .returning(documents.c.fence)
        )
        try:
            written = (await connection.execute(statement)).first()
        except IntegrityError:  # the foreign key: there is no such collection any more
            raise CollectionGone from None
        if written is None:
            state = await self._get_state(connection, key)
            raise StaleRevision(key.document_id, key.revision, state.fence if state else key.revision)

    def _row(
        self,
        key: RevisionKey,
        *,
        pending: int | None,
        fence: int,
        chunks: int,
        facts: DocumentFacts | None,
        active: int | None = None,
    ) -> dict[str, Any]:
        return {
            "collection_id": key.collection_id,
            "document_id": key.document_id,
            "active": active,
            "pending": pending,
            "fence": fence,
            "chunks": chunks,
            "cleanup": fence > 0,
            "uncopied": False,
            "misses": 0,
            "facts": {} if facts is None else facts.model_dump(mode="json"),
            "updated_at": self._clock.now(),
        }


def _left_uncopied(live: LiveGenerations, key: RevisionKey, *, whole: bool) -> ColumnElement[bool]:
    """After a commit. What was missing of the revision before is missing of this one, unless it was cut anew."""
    if live.shadow is None:
        return false()
    if live.recut:
        return case((documents.c.staged == key.revision, false()), else_=true())
    return documents.c.uncopied.is_(True) if whole else true()


def _may_stage(state: DocumentState, revision: int) -> bool:
    return state.active == revision or state.fence < revision


def _view() -> Select[Any]:
    shown = func.coalesce(documents.c.active, documents.c.pending).label("shown")
    these = and_(
        documents.c.collection_id == collections.c.id,
        documents.c.document_id.in_(bindparam("documents", expanding=True)),
        shown.is_not(None),
    )
    return (
        select(collections.c.revision, documents.c.document_id, shown)
        .select_from(collections.outerjoin(documents, these))
        .where(collections.c.id == bindparam("collection"), collections.c.state == ACTIVE)
    )


_VIEW = _view()
_MISSED = {"uncopied": True, "misses": documents.c.misses + 1}
_ROW = select(documents).where(
    documents.c.collection_id == bindparam("collection"), documents.c.document_id == bindparam("document")
)


def _is(key: RevisionKey) -> ColumnElement[bool]:
    return (documents.c.collection_id == key.collection_id) & (documents.c.document_id == key.document_id)


def _state(row: RowMapping) -> DocumentState:
    return DocumentState(row["active"], row["pending"], row["fence"], row["chunks"])
