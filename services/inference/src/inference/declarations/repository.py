"""The declarations in SQL: read whole, changed one at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from contracts.models.catalog import ModelDeclaration
from inference.declarations import matrices
from inference.declarations.tables import CHANGES, DEFAULTS, MODELS, PREVIOUS, VECTORS
from inference.errors import ModelNotFound, TooManyModels
from inference.tuned.errors import TooManyTunedModels, TunedNameTaken
from servicekit.core.clock import Clock
from servicekit.sql.database import Database
from servicekit.sql.upserts import upsert

MOST = 200
"""Models that may be added, beside those of tuning jobs."""
CANDIDATE = timedelta(days=1)
"""How long a job may look at what it has learnt."""
ONLY = 1
"""The id of the row that counts the changes."""
Entry = Mapping[str, Any]
"""A declaration as it was given, without its name and `default`."""
Write = Callable[[Callable[[Connection], None]], Awaitable[None]]
"""Carries out a change in a transaction, which may be of more than that change."""


@dataclass(frozen=True, slots=True)
class AddedModel:
    """One row."""

    name: str
    entry: Entry
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Vectors:
    """What a name's vectors are of: the declaration and, where it is known, the digest of the files."""

    declaration: Entry
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Publisher:
    """Whose tuning job declares a model, and how many such models the tenant may have; None for a candidate, which is
    gone before its job ends."""

    tenant: str
    most: int | None


@dataclass(frozen=True, slots=True)
class Declared:
    """All rows, of one moment."""

    number: int
    models: tuple[AddedModel, ...]
    defaults: Mapping[str, str]
    """The model that was chosen for a kind."""


class DeclarationRepository:
    """Each change raises the number of changes first, so that one waits for the other."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._matrices = matrices.KnownMatrices()

    async def number(self) -> int:
        """Of the last change."""
        return await self._database.read(_number, at_once=True)

    async def read(self) -> Declared:
        """Everything."""

        def read(connection: Connection) -> Declared:
            number = _number(connection)
            rows = connection.execute(select(MODELS).order_by(MODELS.c.created_at, MODELS.c.name)).mappings().all()
            entries = self._matrices.joined(connection, [_without_previous(row["declaration"]) for row in rows])
            models = tuple(
                AddedModel(row["name"], entry, row["created_at"]) for row, entry in zip(rows, entries, strict=True)
            )
            chosen = {row["kind"]: row["model"] for row in connection.execute(select(DEFAULTS)).mappings()}
            return Declared(number, models, chosen)

        async with self._database.snapshot() as transaction:
            return await transaction.run(read)

    async def put(
        self,
        name: str,
        declaration: ModelDeclaration,
        check: Callable[[Vectors | None], None],
        write: Write | None = None,
        publisher: Publisher | None = None,
    ) -> None:
        """Add or replace a model, and make it the default or end that it is, if the declaration says so.

        `check` is given what vectors the name has given, and may raise. `publisher`: of a tuned model, whose job
        declares it. Raises `TooManyModels`, `TooManyTunedModels`, or `TunedNameTaken` where the name is not theirs.
        """
        entry = declaration.model_dump(mode="json", exclude_unset=True, exclude={"name", "default"})

        def put(connection: Connection) -> None:
            _raise_number(connection)
            check(_vectors(connection, name))
            _check_owner(connection, name, publisher)
            is_new, kept = _is_new(connection, name), matrices.keep(connection, entry)
            if is_new:
                row = {"name": name, "declaration": kept, "created_at": self._clock.now()}
                connection.execute(insert(MODELS).values(row))
            else:
                _replace(connection, name, kept)
                matrices.delete_unused(connection)
            kind = declaration.kind
            elsewhere = (DEFAULTS.c.model == name) & (DEFAULTS.c.kind != kind)
            connection.execute(delete(DEFAULTS).where(elsewhere))
            if declaration.default is not None:
                _choose(connection, kind, name, chosen=declaration.default)

        await (write or self._database.write)(put)

    async def check(self, name: str, check: Callable[[Vectors | None], None]) -> None:
        """Raise what `put` would, as things are now."""

        def look(connection: Connection) -> None:
            check(_vectors(connection, name))
            _is_new(connection, name)

        await self._database.read(look)

    async def delete(self, name: str, tenant: str | None = None) -> None:
        """Remove a model; what the models file says is the default again, if this was. A tuned one is removed by its
        tenant alone. Raises `ModelNotFound`."""

        def remove(connection: Connection) -> None:
            _raise_number(connection)
            if _publisher_of(connection, name) != tenant:
                raise ModelNotFound(name, "")
            gone = connection.execute(delete(MODELS).where(MODELS.c.name == name).returning(MODELS.c.name)).first()
            if gone is None:
                raise ModelNotFound(name, "")
            connection.execute(delete(DEFAULTS).where(DEFAULTS.c.model == name))
            matrices.delete_unused(connection)

        await self._database.write(remove)

    async def delete_tuned(self, tenant: str, job: str | None = None) -> None:
        """Remove what a tenant's tuning job has published, or with None all that is a tenant's own. What the job's
        model had replaced is served again."""

        def remove(connection: Connection) -> None:
            own = [(name, entry) for name, entry in _entries(connection) if entry.get("tenant") == tenant]
            touched = [(name, entry) for name, entry in own if job is None or job in _jobs_of(entry)]
            if not touched:
                return
            _raise_number(connection)
            for name, entry in touched:
                _take_out(connection, name, entry, job)
            matrices.delete_unused(connection)

        await self._database.write(remove)

    async def version(self, name: str) -> tuple[str, str] | None:
        """The job and the digest of what it learnt, of the tuned model that has a name."""

        def read(connection: Connection) -> tuple[str, str] | None:
            tuned = _entry_of(connection, name).get("tuned")
            return None if not tuned else (tuned["job"], tuned["digest"])

        return await self._database.read(read)

    async def delete_candidates(self, tenant: str, job: str) -> None:
        """Remove those of a job, whose workers may have died, and any that nobody can be looking at any more."""

        def remove(connection: Connection) -> None:
            old = self._clock.now() - CANDIDATE
            rows = connection.execute(select(MODELS.c.name, MODELS.c.declaration, MODELS.c.created_at)).all()
            names = [
                row.name
                for row in rows
                if (tuned := row.declaration.get("tuned")) is not None
                and tuned["stage"] == "candidate"
                and (row.created_at < old or (row.declaration["tenant"], tuned["job"]) == (tenant, job))
            ]
            if names:
                _raise_number(connection)
                connection.execute(delete(MODELS).where(MODELS.c.name.in_(names)))
                matrices.delete_unused(connection)

        await self._database.write(remove)

    async def vectors(self, name: str) -> Vectors | None:
        """What the vectors are of that a name has given; None if it has given none."""
        return await self._database.read(lambda connection: _vectors(connection, name))

    async def remember(self, name: str, vectors: Vectors) -> None:
        """Note what a name's vectors are of, beyond the removal of its model; a digest that is known stays."""

        def remember(connection: Connection) -> None:
            known = {"digest": vectors.digest} if vectors.digest is not None else {}
            row = {"declaration": vectors.declaration, **known}
            statement = upsert(connection.dialect, VECTORS).values(name=name, **row)
            connection.execute(statement.on_conflict_do_update(index_elements=[VECTORS.c.name], set_=row))

        await self._database.write(remember)

    async def set_default(self, kind: str, name: str | None) -> None:
        """Choose the default of a kind, or with None leave it to the models file."""

        def choose(connection: Connection) -> None:
            _raise_number(connection)
            connection.execute(delete(DEFAULTS).where(DEFAULTS.c.kind == kind))
            if name is not None:
                connection.execute(insert(DEFAULTS).values(kind=kind, model=name))

        await self._database.write(choose)


def _entries(connection: Connection) -> list[tuple[str, Entry]]:
    rows = connection.execute(select(MODELS.c.name, MODELS.c.declaration))
    return [(row.name, row.declaration) for row in rows]


def _entry_of(connection: Connection, name: str) -> Entry:
    """Empty where there is none."""
    return connection.execute(select(MODELS.c.declaration).where(MODELS.c.name == name)).scalar_one_or_none() or {}


def _without_previous(entry: Entry) -> Entry:
    return {key: value for key, value in entry.items() if key != PREVIOUS}


def _jobs_of(entry: Entry) -> set[str]:
    """The jobs whose models a row holds: the one that is served, and the one before."""
    return {one["tuned"]["job"] for one in (entry, entry.get(PREVIOUS) or {}) if one.get("tuned")}


def _replace(connection: Connection, name: str, entry: Entry) -> None:
    """A tuned model remembers the last of another job, and no others before that."""
    was = _entry_of(connection, name)
    if entry.get("tuned") and was.get("tuned"):
        is_same = was["tuned"]["job"] == entry["tuned"]["job"]
        previous = was.get(PREVIOUS) if is_same else _without_previous(was)
        entry = entry if previous is None else {**entry, PREVIOUS: previous}
    connection.execute(update(MODELS).where(MODELS.c.name == name).values(declaration=entry))


def _take_out(connection: Connection, name: str, entry: Entry, job: str | None) -> None:
    """Take what a job published out of a row, or with None the row."""
    left = _without_previous(entry) if job is None or entry["tuned"]["job"] != job else entry.get(PREVIOUS)
    if job is None or left is None:
        connection.execute(delete(MODELS).where(MODELS.c.name == name))
        connection.execute(delete(DEFAULTS).where(DEFAULTS.c.model == name))
    else:
        connection.execute(update(MODELS).where(MODELS.c.name == name).values(declaration=left))


def _publisher_of(connection: Connection, name: str) -> str | None:
    """The tenant whose job declared a model."""
    entry = _entry_of(connection, name)
    return entry.get("tenant") if entry.get("tuned") else None


def _check_owner(connection: Connection, name: str, publisher: Publisher | None) -> None:
    """Whether the name is free, or of a model that this one may replace."""
    tuned = {each: entry for each, entry in _entries(connection) if entry.get("tuned")}
    tenant = None if publisher is None else publisher.tenant
    exists = connection.execute(select(MODELS.c.name).where(MODELS.c.name == name)).first() is not None
    if exists and tuned.get(name, {}).get("tenant") != tenant:
        raise TunedNameTaken(name)
    if publisher is None or publisher.most is None:
        return
    own = [
        each
        for each, entry in tuned.items()
        if entry["tenant"] == tenant and entry["tuned"]["stage"] == "published" and each != name
    ]
    if len(own) >= publisher.most:
        raise TooManyTunedModels(publisher.most)


def _is_new(connection: Connection, name: str) -> bool:
    """Whether there is no such model yet; raises `TooManyModels` where no other may be added."""
    if connection.execute(select(MODELS.c.name).where(MODELS.c.name == name)).first() is not None:
        return False
    if sum(not entry.get("tuned") for _, entry in _entries(connection)) >= MOST:
        raise TooManyModels(MOST)
    return True


def _vectors(connection: Connection, name: str) -> Vectors | None:
    row = connection.execute(select(VECTORS).where(VECTORS.c.name == name)).mappings().first()
    return None if row is None else Vectors(row["declaration"], row["digest"])


def _number(connection: Connection) -> int:
    return connection.execute(select(CHANGES.c.number).where(CHANGES.c.id == ONLY)).scalar() or 0


def _raise_number(connection: Connection) -> None:
    statement = upsert(connection.dialect, CHANGES).values(id=ONLY, number=1)
    raised = {"number": CHANGES.c.number + 1}
    connection.execute(statement.on_conflict_do_update(index_elements=[CHANGES.c.id], set_=raised))


def _choose(connection: Connection, kind: str, name: str, *, chosen: bool) -> None:
    of_kind = DEFAULTS.c.kind == kind
    connection.execute(delete(DEFAULTS).where(of_kind if chosen else of_kind & (DEFAULTS.c.model == name)))
    if chosen:
        connection.execute(insert(DEFAULTS).values(kind=kind, model=name))
