"""Generations of a collection: the active one, the shadow that is built beside it, and the flip from one to the other.

Whoever writes asks here which generations are live, and again (with the collection's row locked) in the transaction
that makes the write count. So nothing that was acknowledged can be missing in a generation that becomes active.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    func,
    insert,
    null,
    select,
    update,
)

from retriever.catalog.tables import collections, documents, generations
from retriever.errors import LayoutGone
from servicekit.core.clock import Clock
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction

State = Literal["active", "building", "retired", "dropped"]
ACTIVE: Final = "active"
BUILDING: Final = "building"
RETIRED: Final = "retired"
DROPPED: Final = "dropped"
VISIBLE = func.coalesce(documents.c.active, documents.c.pending)


class CollectionGone(Exception):
    """The collection was deleted while it was used."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation's row. `vectors` is its name in the vector store."""

    collection_id: str
    number: int
    vectors: str
    key: str
    state: State
    layout: int
    embedding_model: str
    dimensions: int
    max_input_tokens: int
    chunking: Mapping[str, Any]
    language: str
    vector_options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LiveGenerations:
    """The generations of a collection that take writes."""

    active: Generation
    shadow: Generation | None

    @property
    def all(self) -> list[Generation]:
        """The active one first."""
        return [self.active] if self.shadow is None else [self.active, self.shadow]

    @property
    def recut(self) -> bool:
        """Whether there is a shadow with other chunks than the active generation."""
        return self.shadow is not None and self.shadow.layout != self.active.layout

    def of_layout(self, layout: int) -> list[Generation]:
        """Those that hold the active generation's chunks; raises `LayoutGone` where `layout` isn't theirs."""
        if layout != self.active.layout:
            raise LayoutGone(layout, self.active.layout)
        return [each for each in self.all if each.layout == layout]


@dataclass(frozen=True, slots=True)
class ShadowRemainder:
    """What is not in a shadow yet, and how much there was in the beginning."""

    documents: int
    chunks: int
    total_chunks: int


@dataclass(frozen=True, slots=True)
class DocumentToCopy:
    """A document to copy: its committed revision with its chunks, and one that still arrives; not both are null.

    `misses` is how many of its batches had not been written into the shadow by then.
    """

    document_id: str
    active: int | None
    pending: int | None
    chunks: int
    misses: int


class GenerationRepository:
    """The table of generations; each change of state is one conditional statement."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get_live(self, collection_id: str) -> LiveGenerations:
        """The generations that take writes now; raises `CollectionGone`."""
        return _as_live(await self._database.read(rows_of(_LIVE, {"collection": collection_id}), at_once=True))

    async def lock_live(self, connection: Transaction, collection_id: str) -> LiveGenerations:
        """The same within a writing transaction, and until its end; raises `CollectionGone`."""
        await _lock(connection, collection_id)
        return await _live(connection, collection_id)

    async def get_by_key(self, collection_id: str, key: str) -> Generation | None:
        """The generation that was begun under this key."""
        return await self._get(collection_id, generations.c.key == key)

    async def get_by_number(self, collection_id: str, number: int) -> Generation | None:
        """The generation with this number."""
        return await self._get(collection_id, generations.c.number == number)

    async def get_highest_number(self, collection_id: str) -> int:
        """The highest number that was ever given."""
        query = select(func.max(generations.c.number)).where(generations.c.collection_id == collection_id)
        return await self._database.read(lambda connection: int(connection.execute(query).scalar_one() or 0))

    async def create_shadow(self, shadow: Generation) -> None:
        """Add a shadow in place of any other; all documents are to be copied.

        Raises `IntegrityError` if its key or number was used meanwhile, `CollectionGone`.
        """
        of_it = documents.c.collection_id == shadow.collection_id
        total = select(func.coalesce(func.sum(documents.c.chunks), 0)).where(of_it, VISIBLE.is_not(None))
        async with self._database.write() as connection:
            await _lock(connection, shadow.collection_id)
            await _retire(connection, shadow.collection_id, generations.c.state == BUILDING)
            await connection.execute(insert(generations).values({**new_row(shadow), **self._new(total)}))
            marked = {"uncopied": VISIBLE.is_not(None), "staged": None, "staged_chunks": None}
            await connection.execute(update(documents).where(of_it).values(marked))

    async def delete_shadow(self, collection_id: str, key: str, never: Generation) -> None:
        """End the shadow of this key for good; `never` is its row if there was none, so that it can't begin later."""
        async with self._database.write() as connection:
            await _lock(connection, collection_id)
            this = generations.c.key == key
            await _retire(connection, collection_id, this, generations.c.state == BUILDING)
            known = select(generations.c.number).where(generations.c.collection_id == collection_id, this)
            if (await connection.execute(known)).first() is None:
                await connection.execute(insert(generations).values({**new_row(never), **self._new(0)}))

    async def flip(self, active: Generation, shadow: Generation) -> bool:
        """Let the shadow serve, if every visible document is wholly in it; whether it does.

        One conditional statement, which also raises the collection's revision.
        """
        this = and_(collections.c.id == shadow.collection_id, collections.c.state == "active")
        building = select(generations.c.number).where(_is(shadow), generations.c.state == BUILDING)
        flipped = (
            update(collections)
            .where(this, collections.c.generation == active.number, building.exists())
            .where(~select(documents.c.document_id).where(_uncopied(shadow, active)).exists())
            .values(
                generation=shadow.number,
                revision=collections.c.revision + 1,
                embedding_model=shadow.embedding_model,
                model_reason=collections.c.model_reason if _same_model(active, shadow) else null(),
                dimensions=shadow.dimensions,
                max_input_tokens=shadow.max_input_tokens,
                chunking=shadow.chunking,
                language=shadow.language,
                vector_options=shadow.vector_options,
            )
            .returning(collections.c.id)
        )
        async with self._database.write() as connection:
            await _lock(connection, shadow.collection_id)
            if (await connection.execute(flipped)).first() is None:
                return False
            await _retire(connection, shadow.collection_id, generations.c.number == active.number)
            await connection.execute(update(generations).where(_is(shadow)).values(state=ACTIVE))
            if shadow.layout != active.layout:
                recut = documents.c.active == documents.c.staged
                of_it = documents.c.collection_id == shadow.collection_id
                counted = update(documents).where(of_it, recut).values(chunks=documents.c.staged_chunks)
                await connection.execute(counted)
            return True

    async def get_remainder(self, active: Generation, shadow: Generation) -> ShadowRemainder:
        """How much of the shadow is missing."""
        count = select(func.count(), func.coalesce(func.sum(documents.c.chunks), 0)).where(_uncopied(shadow, active))
        total = select(generations.c.total_chunks, generations.c.cursor).where(_is(shadow))
        async with self._database.read() as connection:
            left, chunks = (await connection.execute(count)).one()
            whole, cursor = (await connection.execute(total)).one()
        return ShadowRemainder(left, max(0, int(chunks) - (cursor[2] if cursor else 0)), whole)

    async def list_documents_to_copy(self, active: Generation, shadow: Generation, limit: int) -> list[DocumentToCopy]:
        """Documents that are not wholly in the shadow, by id."""
        columns = documents.c
        these = (columns.document_id, columns.active, columns.pending, columns.chunks, columns.misses)
        query = select(*these).where(_uncopied(shadow, active)).order_by(documents.c.document_id).limit(limit)
        return await self._database.read(
            lambda connection: [DocumentToCopy(*row) for row in connection.execute(query).all()]
        )

    async def get_cursor(self, shadow: Generation) -> tuple[str, int, int] | None:
        """Document, revision, and the ordinal below which its chunks are in the shadow."""
        query = select(generations.c.cursor).where(_is(shadow))
        kept = await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return None if kept is None else (kept[0], kept[1], kept[2])

    async def update_cursor(self, shadow: Generation, cursor: tuple[str, int, int] | None) -> None:
        """Note how far the document at hand is copied."""
        statement = update(generations).where(_is(shadow)).values(cursor=None if cursor is None else list(cursor))
        await self._database.write(lambda connection: connection.execute(statement))

    async def list_retired(self, collection_id: str | None = None) -> list[Generation]:
        """Generations whose vectors are to go, of one collection or of all."""
        query = select(generations).where(generations.c.state == RETIRED)
        if collection_id is not None:
            query = query.where(generations.c.collection_id == collection_id)
        return await self._database.read(
            lambda connection: [_generation(row) for row in connection.execute(query).mappings()]
        )

    async def mark_deleted(self, generation: Generation) -> None:
        """Note that a retired generation's vectors are gone."""
        statement = update(generations).where(_is(generation), generations.c.state == RETIRED).values(state=DROPPED)
        await self._database.write(lambda connection: connection.execute(statement))

    async def _get(self, collection_id: str, which: ColumnElement[bool]) -> Generation | None:
        query = select(generations).where(generations.c.collection_id == collection_id, which)
        row = await self._database.read(lambda connection: connection.execute(query).mappings().one_or_none())
        return None if row is None else _generation(row)

    def _new(self, total_chunks: Any) -> dict[str, Any]:
        total = total_chunks if isinstance(total_chunks, int) else total_chunks.scalar_subquery()
        return {"total_chunks": total, "created_at": self._clock.now()}


def new_row(generation: Generation) -> dict[str, Any]:
    """A generation as its table holds it, without what its table adds."""
    names = [name for name in Generation.__dataclass_fields__ if name != "vectors"]
    return {name: getattr(generation, name) for name in names} | {"physical_name": generation.vectors}


def _generation(row: RowMapping) -> Generation:
    names = [name for name in Generation.__dataclass_fields__ if name != "vectors"]
    return Generation(**{name: row[name] for name in names}, vectors=row["physical_name"])


async def _lock(connection: Transaction, collection_id: str) -> None:
    """Hold the collection's row, so that whatever changes its generations waits; SQLite has one writer anyway."""
    this = select(collections.c.id).where(collections.c.id == collection_id, collections.c.state == "active")
    if (await connection.execute(this.with_for_update(key_share=True))).first() is None:
        raise CollectionGone


async def _live(connection: Transaction, collection_id: str) -> LiveGenerations:
    return _as_live((await connection.execute(_LIVE, {"collection": collection_id})).mappings().all())


def _as_live(rows: Sequence[RowMapping]) -> LiveGenerations:
    found = {row["state"]: _generation(row) for row in rows}
    if ACTIVE not in found:
        raise CollectionGone
    return LiveGenerations(found[ACTIVE], found.get(BUILDING))


def _query_live() -> Select[Any]:
    collection: BindParameter[str] = bindparam("collection")
    here = select(collections.c.id).where(collections.c.id == collection, collections.c.state == "active")
    taken = generations.c.state.in_((ACTIVE, BUILDING))
    return select(generations).where(generations.c.collection_id == collection, taken, here.exists())


_LIVE = _query_live()


async def _retire(connection: Transaction, collection_id: str, *which: ColumnElement[bool]) -> None:
    of_it = generations.c.collection_id == collection_id
    await connection.execute(update(generations).where(of_it, *which).values(state=RETIRED, cursor=None))


def _same_model(one: Generation, other: Generation) -> bool:
    return one.embedding_model == other.embedding_model


def _is(generation: Generation) -> ColumnElement[bool]:
    return and_(generations.c.collection_id == generation.collection_id, generations.c.number == generation.number)


def _uncopied(shadow: Generation, active: Generation) -> ColumnElement[bool]:
    """Documents to copy. A first revision that arrives is sent to all of a layout; nobody can cut it anew before."""
    shown = VISIBLE if shadow.layout == active.layout else documents.c.active
    visible = shown.is_not(None)
    return and_(documents.c.collection_id == shadow.collection_id, documents.c.uncopied.is_(True), visible)
