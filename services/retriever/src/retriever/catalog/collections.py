"""The catalog of collections: what there is, which generation serves it, and its revision number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from contracts.core.abstention import Abstain
from contracts.retrieval.collections import (
    AUTO_MODEL,
    Chunking,
    Collection,
    CollectionChange,
    CollectionCreate,
    IndexState,
    ShadowIndex,
    VectorOptions,
)
from contracts.retrieval.search import DEFAULT_MODEL, SearchMode
from retriever.catalog.generations import BUILDING, DROPPED, Generation, new_row
from retriever.catalog.tables import collections, documents, generations
from retriever.errors import CollectionExists, CollectionNotFound, GenerationNotFound
from retriever.models.protocol import EmbeddingModel
from servicekit.core.clock import Clock
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction

ACTIVE, DELETING = "active", "deleting"
UNBOUND = ""
"""The reason of a model that is not chosen yet."""


@dataclass(frozen=True, slots=True)
class CollectionRecord:
    """A collection's row. `vectors` is the name of its active generation in the vector store."""

    id: str
    tenant: str
    name: str
    description: str
    embedding_model: str
    model_reason: str | None
    dimensions: int
    max_input_tokens: int
    chunking: dict[str, Any]
    language: str
    vector_options: dict[str, Any]
    mode: SearchMode
    rerank: bool
    rerank_model: str | None
    abstain: Abstain | None
    delete_records: bool
    revision: int
    generation: int
    layout: int
    vectors: str
    created_at: datetime

    @property
    def is_unbound(self) -> bool:
        """Whether its embedding model is chosen only by its first document: nothing is in it yet."""
        return self.model_reason == UNBOUND


def physical_name(collection_id: str, generation: int) -> str:
    """What a generation is called in the vector store."""
    return f"{collection_id}-{generation}"


class CollectionRepository:
    """Collections in SQL; each change of state is one conditional statement."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create_collection(
        self,
        collection_id: str,
        tenant: str,
        wanted: CollectionCreate,
        model: EmbeddingModel,
        reason: str | None = None,
    ) -> None:
        """Add an active collection with its first generation; raises `CollectionExists`.

        `reason`: why this model, where nobody named it; `UNBOUND` if its first document is to choose.
        """
        now = self._clock.now()
        row = {
            "id": collection_id,
            "tenant": tenant,
            "name": wanted.name,
            "description": wanted.description,
            "embedding_model": model.name,
            "model_reason": reason,
            "dimensions": model.dimensions,
            "max_input_tokens": model.max_input_tokens,
            "chunking": wanted.chunking.model_dump(mode="json"),
            "language": wanted.language,
            "vector_options": wanted.vectors.model_dump(mode="json"),
            "mode": wanted.mode,
            "rerank": wanted.rerank,
            "rerank_model": named(wanted.rerank_model),
            "abstain": wanted.abstain,
            "delete_records": wanted.delete_records,
            "revision": 0,
            "generation": 1,
            "state": ACTIVE,
            "created_at": now,
        }
        first = {**new_row(first_generation(collection_id, wanted, model)), "total_chunks": 0, "created_at": now}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(collections).values(row))
                await connection.execute(insert(generations).values(first))
        except IntegrityError:
            raise CollectionExists(wanted.name) from None

    async def get_collection(self, tenant: str, name: str) -> CollectionRecord:
        """One active collection; raises `CollectionNotFound`."""
        return (await self.get_collections(tenant, [name]))[0]

    async def get_collections(self, tenant: str, names: list[str]) -> list[CollectionRecord]:
        """Active collections in the order of `names`; raises `CollectionNotFound` for the first that is not there."""
        rows = await self._database.read(rows_of(_NAMED, {"tenant": tenant, "names": names}), at_once=True)
        found = {row["name"]: _record(row) for row in rows}
        for name in names:
            if name not in found:
                raise CollectionNotFound(name)
        return [found[name] for name in names]

    async def of_generation(self, record: CollectionRecord, number: int) -> CollectionRecord:
        """The collection as one of its generations has it, the active one or its shadow; raises
        `GenerationNotFound`."""
        if number == record.generation:
            return record
        here = (generations.c.collection_id == record.id) & (generations.c.number == number)
        query = select(generations).where(here, generations.c.state == BUILDING)
        row = await self._database.read(lambda connection: connection.execute(query).mappings().one_or_none())
        if row is None:
            raise GenerationNotFound(record.name, number)
        settings = {name: row[name] for name in _OF_GENERATION}
        return replace(record, generation=number, vectors=row["physical_name"], **settings)

    async def list_collections(
        self, tenant: str, after: str, limit: int, allowed: tuple[str, ...] | None
    ) -> list[CollectionRecord]:
        """Active collections by name, those after `after`, of `allowed` if that is given."""
        query = _records().where(collections.c.tenant == tenant, collections.c.name > after)
        if allowed is not None:
            query = query.where(collections.c.name.in_(allowed))
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(collections.c.name).limit(limit))).mappings()
            return [_record(row) for row in rows]

    async def describe_collections(self, records: list[CollectionRecord]) -> list[Collection]:
        """Collections as the API shows them, with their counts."""
        visible = or_(documents.c.active.is_not(None), documents.c.pending.is_not(None))
        query = (
            select(documents.c.collection_id, func.count().label("documents"), func.sum(documents.c.chunks).label("n"))
            .where(documents.c.collection_id.in_([record.id for record in records]), visible)
            .group_by(documents.c.collection_id)
        )
        async with self._database.read() as connection:
            counts = {row["collection_id"]: row for row in (await connection.execute(query)).mappings()}
            building = select(generations).where(generations.c.state == BUILDING)
            building = building.where(generations.c.collection_id.in_([record.id for record in records]))
            shadows = {row["collection_id"]: row for row in (await connection.execute(building)).mappings()}
        return [_to_collection(record, counts.get(record.id), shadows.get(record.id)) for record in records]

    async def update_collection(self, tenant: str, name: str, wanted: CollectionChange) -> CollectionRecord:
        """Change a collection and raise its revision, as answers may differ; raises `CollectionNotFound`."""
        changes = wanted.model_dump(exclude_none=True)
        if wanted.rerank_model is not None:
            changes["rerank_model"] = named(wanted.rerank_model)
        if wanted.abstain == DEFAULT_MODEL:
            changes["abstain"] = None
        statement = (
            update(collections)
            .where(collections.c.tenant == tenant, collections.c.name == name, collections.c.state == ACTIVE)
            .values(revision=collections.c.revision + 1, **changes)
            .returning(collections.c.id)
        )
        async with self._database.write() as connection:
            if (await connection.execute(statement)).first() is None:
                raise CollectionNotFound(name)
        return await self.get_collection(tenant, name)

    async def bind_model(self, record: CollectionRecord, model: EmbeddingModel, reason: str, vectors: str) -> bool:
        """Give an unbound collection its model, with `vectors` as the place of its active generation; whether it was
        this call that did. One conditional statement: of several calls at once one wins, and it stays.
        """
        sizes = {"dimensions": model.dimensions, "max_input_tokens": model.max_input_tokens}
        bound = (
            update(collections)
            .where(collections.c.id == record.id, collections.c.state == ACTIVE, collections.c.model_reason == UNBOUND)
            .values(embedding_model=model.name, model_reason=reason, **sizes)
            .returning(collections.c.generation)
        )
        async with self._database.write() as connection:
            number = (await connection.execute(bound)).scalar_one_or_none()
            if number is None:
                return False
            active = and_(generations.c.collection_id == record.id, generations.c.number == number)
            changed = {"embedding_model": model.name, "physical_name": vectors, **sizes}
            await connection.execute(update(generations).where(active).values(**changed))
            return True

    async def raise_revision(self, connection: Transaction, collection_id: str) -> int | None:
        """Count one visible change, in the transaction that makes it; null when the collection is not active."""
        statement = (
            update(collections)
            .where(collections.c.id == collection_id, collections.c.state == ACTIVE)
            .values(revision=collections.c.revision + 1)
            .returning(collections.c.revision)
        )
        revision: int | None = (await connection.execute(statement)).scalar_one_or_none()
        return revision

    async def begin_deletion(self, tenant: str, name: str) -> str | None:
        """Hide a collection for good and return its id, also when that was done before; null if there is none."""
        statement = (
            update(collections)
            .where(collections.c.tenant == tenant, collections.c.name == name)
            .values(state=DELETING)
            .returning(collections.c.id)
        )
        async with self._database.write() as connection:
            collection_id: str | None = (await connection.execute(statement)).scalar_one_or_none()
            return collection_id

    async def list_names(self, tenant: str) -> list[str]:
        """All of a tenant's collections, also those that are being deleted."""
        query = select(collections.c.name).where(collections.c.tenant == tenant)
        return await self._database.read(lambda connection: list(connection.execute(query).scalars()))

    async def list_deletions(self, tenant: str | None = None, name: str | None = None) -> list[str]:
        """Ids of collections whose deletion has not ended: all, or the one of this name."""
        which: list[ColumnElement[bool]] = [collections.c.state == DELETING]
        if tenant is not None:
            which += [collections.c.tenant == tenant, collections.c.name == name]
        return await self._database.read(
            lambda connection: list(connection.execute(select(collections.c.id).where(*which)).scalars())
        )

    async def delete_collection(self, collection_id: str) -> None:
        """Remove all rows of a collection that is being deleted."""
        async with self._database.write() as connection:
            await connection.execute(delete(documents).where(documents.c.collection_id == collection_id))
            await connection.execute(delete(generations).where(generations.c.collection_id == collection_id))
            await connection.execute(delete(collections).where(collections.c.id == collection_id))

    async def list_physical_names(self, collection_id: str | None = None) -> list[str]:
        """Names in the vector store of one collection's generations, or of all, but for those that are dropped."""
        query = select(generations.c.physical_name).where(generations.c.state != DROPPED)
        if collection_id is not None:
            query = query.where(generations.c.collection_id == collection_id)
        return await self._database.read(lambda connection: list(connection.execute(query).scalars()))


def named(model: str | None) -> str | None:
    """A rerank model; none where the default one is meant."""
    return None if model == DEFAULT_MODEL else model


def first_generation(collection_id: str, wanted: CollectionCreate, model: EmbeddingModel) -> Generation:
    """The generation that a collection is made with."""
    return Generation(
        collection_id=collection_id,
        number=1,
        vectors=physical_name(collection_id, 1),
        key="1",
        state="active",
        layout=1,
        embedding_model=model.name,
        dimensions=model.dimensions,
        max_input_tokens=model.max_input_tokens,
        chunking=wanted.chunking.model_dump(mode="json"),
        language=wanted.language,
        vector_options=wanted.vectors.model_dump(mode="json"),
    )


def _records() -> Any:
    joined = collections.join(
        generations,
        and_(generations.c.collection_id == collections.c.id, generations.c.number == collections.c.generation),
    )
    columns = (collections, generations.c.physical_name, generations.c.layout)
    return select(*columns).select_from(joined).where(collections.c.state == ACTIVE)


_NAMED = _records().where(
    collections.c.tenant == bindparam("tenant"), collections.c.name.in_(bindparam("names", expanding=True))
)
_COLUMNS = tuple(name for name in CollectionRecord.__dataclass_fields__ if name != "vectors")
_OF_GENERATION = (
    "embedding_model", "dimensions", "max_input_tokens", "chunking", "language", "vector_options", "layout",
)  # fmt: skip


def _record(row: RowMapping) -> CollectionRecord:
    return CollectionRecord(**{name: row[name] for name in _COLUMNS}, vectors=row["physical_name"])


def _to_collection(record: CollectionRecord, counts: RowMapping | None, shadow: RowMapping | None) -> Collection:
    return Collection(
        name=record.name,
        description=record.description,
        embedding_model=AUTO_MODEL if record.is_unbound else record.embedding_model,
        embedding_model_reason=record.model_reason or None,
        dimensions=record.dimensions,
        max_input_tokens=record.max_input_tokens,
        chunking=Chunking.model_validate(record.chunking),
        language=record.language,
        vectors=VectorOptions.model_validate(record.vector_options),
        mode=record.mode,
        rerank=record.rerank,
        rerank_model=record.rerank_model,
        abstain=record.abstain,
        delete_records=record.delete_records,
        documents=0 if counts is None else counts["documents"],
        chunks=0 if counts is None else counts["n"],
        revision=record.revision,
        index=IndexState(
            state="green" if shadow is None else "building",
            generation=record.generation,
            layout=record.layout,
            shadow=None if shadow is None else _to_shadow(shadow),
        ),
        created_at=record.created_at,
    )


def _to_shadow(row: RowMapping) -> ShadowIndex:
    names = ("layout", "embedding_model", "dimensions", "max_input_tokens")
    chunking = Chunking.model_validate(row["chunking"])
    return ShadowIndex(generation=row["number"], chunking=chunking, **{name: row[name] for name in names})
