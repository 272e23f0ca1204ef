"""The routes in SQL, cached for a second on every replica."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, select, true

from contracts.access.routes import RouteSpec
from gateway.routing.errors import RouteNotFound
from gateway.storage.audit_log import Actor, note
from gateway.storage.dialects import upsert
from gateway.storage.tables import routes
from gateway.storage.ttl_cache import TtlCache
from servicekit.core.clock import Clock
from servicekit.sql.database import Database, rows_of

READ_SECONDS = 1.0
_ALL = select(routes).order_by(routes.c.name)


class RouteRepository:
    """Reads and changes routes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._put = upsert(database.dialect.name, routes, true())
        self._known: TtlCache[None, Mapping[str, RouteSpec]] = TtlCache(
            self._read, seconds=READ_SECONDS, capacity=1, clock=clock
        )

    async def list_routes(self) -> Mapping[str, RouteSpec]:
        """Every route by name; a change is seen within a second on every replica."""
        return await self._known.get(None)

    async def get_update_times(self) -> Mapping[str, datetime]:
        """When each was last changed."""
        return {row["name"]: row["updated_at"] for row in await self._database.read(rows_of(_ALL))}

    async def update_route(self, name: str, spec: RouteSpec, actor: Actor) -> datetime:
        """Make or replace a route."""
        now = self._clock.now()
        row = {"name": name, "spec": spec.model_dump(mode="json"), "updated_at": now}
        async with self._database.write() as connection:
            await connection.execute(self._put, row)  # not deleted and inserted: two at once would break on PostgreSQL
            await note(connection, now, actor, "route.put", name, spec.model_dump(mode="json"))
        self._known.invalidate(None)
        return now

    async def delete_route(self, name: str, actor: Actor) -> None:
        """Take a route away; raises `RouteNotFound`."""
        async with self._database.write() as connection:
            done = await connection.execute(delete(routes).where(routes.c.name == name))
            if not done.rowcount:
                raise RouteNotFound(name)
            await note(connection, self._clock.now(), actor, "route.delete", name, {})
        self._known.invalidate(None)

    async def _read(self, _: None) -> Mapping[str, RouteSpec]:
        rows = await self._database.read(rows_of(_ALL), at_once=True)  # not behind another call's report
        return {row["name"]: RouteSpec.model_validate(row["spec"]) for row in rows}
