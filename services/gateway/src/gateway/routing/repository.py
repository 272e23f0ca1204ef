"""The routes in SQL, remembered for a second on every replica."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, select, true

from contracts.routes import RouteSpec
from gateway.routing.errors import RouteNotFound
from gateway.storage.audit_log import Actor, note
from gateway.storage.dialects import replacing
from gateway.storage.tables import routes
from gateway.storage.ttl_cache import Remembered
from servicekit.core.clock import Clock
from servicekit.sql.database import Database

READ_SECONDS = 1.0
_ALL = select(routes).order_by(routes.c.name)


class RouteBook:
    """Reads and changes routes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._put = replacing(database.engine.dialect.name, routes, true())
        self._known: Remembered[None, Mapping[str, RouteSpec]] = Remembered(
            self._read, seconds=READ_SECONDS, capacity=1, clock=clock
        )

    async def all(self) -> Mapping[str, RouteSpec]:
        """Every route by name; a change is seen within a second on every replica."""
        return await self._known.get(None)

    async def changed_at(self) -> Mapping[str, datetime]:
        """When each was last changed."""
        return {row["name"]: row["updated_at"] for row in await self._database.fetch(_ALL)}

    async def put(self, name: str, spec: RouteSpec, actor: Actor) -> datetime:
        """Make or replace a route."""
        now = self._clock.now()
        row = {"name": name, "spec": spec.model_dump(mode="json"), "updated_at": now}
        async with self._database.write() as connection:
            await connection.execute(self._put, row)  # not deleted and inserted: two at once would break on PostgreSQL
            await note(connection, now, actor, "route.put", name, spec.model_dump(mode="json"))
        self._known.forget(None)
        return now

    async def delete(self, name: str, actor: Actor) -> None:
        """Take a route away; raises `RouteNotFound`."""
        async with self._database.write() as connection:
            done = await connection.execute(delete(routes).where(routes.c.name == name))
            if not done.rowcount:
                raise RouteNotFound(name)
            await note(connection, self._clock.now(), actor, "route.delete", name, {})
        self._known.forget(None)

    async def _read(self, _: None) -> Mapping[str, RouteSpec]:
        return {row["name"]: RouteSpec.model_validate(row["spec"]) for row in await self._database.fetch(_ALL)}
