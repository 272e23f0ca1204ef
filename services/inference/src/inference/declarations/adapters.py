"""What tuning jobs have learnt, in pieces beside the declarations: there for every replica, and in every backup."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select, update

from contracts.models.tuning import MOST_PIECES, PIECE_BYTES
from inference.declarations.tables import ADAPTER_PIECES, MODELS, PREVIOUS
from inference.tuned.errors import AdapterIncomplete, AdapterTooLarge
from servicekit.core.clock import Clock
from servicekit.sql.database import Database, rows_of

UNUSED = timedelta(hours=1)
"""How long pieces are kept that no model is declared with: a job may be sending the others."""
COLUMNS = ADAPTER_PIECES.c


class AdapterRepository:
    """The pieces of each job's adapter."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put_piece(self, tenant: str, job: str, number: int, content: bytes) -> None:
        """One piece, in place of what it was; raises `AdapterTooLarge`. One that is there already changes nothing: a
        model may be served from it."""
        if number >= MOST_PIECES or len(content) > PIECE_BYTES:
            raise AdapterTooLarge(MOST_PIECES * PIECE_BYTES)
        which = (COLUMNS.tenant == tenant) & (COLUMNS.job == job)

        def put(connection: Connection) -> None:
            same = connection.execute(select(COLUMNS.content).where(which, COLUMNS.number == number)).scalar()
            if same is not None and bytes(same) == content:
                kept = update(ADAPTER_PIECES).where(which, COLUMNS.number == number)
                connection.execute(kept.values(created_at=self._clock.now()))
                return
            later = COLUMNS.number >= number  # of another adapter, if there are any: pieces come in their order
            connection.execute(delete(ADAPTER_PIECES).where(which, later))
            row = {"tenant": tenant, "job": job, "number": number, "content": content}
            connection.execute(insert(ADAPTER_PIECES).values(**row, created_at=self._clock.now()))

        await self._database.write(put)

    async def pieces(self, tenant: str, job: str) -> AsyncIterator[bytes]:
        """All of an adapter, a piece at a time."""
        for number in range(MOST_PIECES):
            which = (COLUMNS.tenant == tenant) & (COLUMNS.job == job) & (COLUMNS.number == number)
            found = await self._database.read(rows_of(select(COLUMNS.content).where(which)))
            if not found:
                return
            yield bytes(found[0]["content"])

    async def check(self, tenant: str, job: str, digest: str) -> None:
        """Raise `AdapterIncomplete` unless all of it is there, and is what its digest says."""
        seen = hashlib.sha256()
        async for piece in self.pieces(tenant, job):
            await asyncio.to_thread(seen.update, piece)
        if f"sha256:{seen.hexdigest()}" != digest:
            raise AdapterIncomplete(job)

    async def prune(self) -> None:
        """Delete what no model is declared with, and nobody sends any more."""

        def prune(connection: Connection) -> None:
            used = _in_use(connection)
            old = COLUMNS.created_at < self._clock.now() - UNUSED
            kept = connection.execute(select(COLUMNS.tenant, COLUMNS.job).where(old).distinct()).all()
            for tenant, job in kept:
                if (tenant, job) not in used:
                    which = (COLUMNS.tenant == tenant) & (COLUMNS.job == job)
                    connection.execute(delete(ADAPTER_PIECES).where(which))

        await self._database.write(prune)

    async def delete_unused(self, tenant: str, job: str) -> None:
        """One job's, where no model is declared with it any more."""

        def remove(connection: Connection) -> None:
            if (tenant, job) not in _in_use(connection):
                connection.execute(delete(ADAPTER_PIECES).where(COLUMNS.tenant == tenant, COLUMNS.job == job))

        await self._database.write(remove)

    async def delete(self, tenant: str, job: str | None = None) -> None:
        """One job's, or all of a tenant."""
        which = COLUMNS.tenant == tenant
        which = which if job is None else which & (COLUMNS.job == job)
        await self._database.write(lambda one: one.execute(delete(ADAPTER_PIECES).where(which)))


def _in_use(connection: Connection) -> set[tuple[str, str]]:
    """Tenants and jobs that models are declared with."""
    entries = connection.execute(select(MODELS.c.declaration)).scalars()
    held = [one for entry in entries for one in (entry, entry.get(PREVIOUS) or {})]
    return {(one["tenant"], one["tuned"]["job"]) for one in held if one.get("tuned")}
