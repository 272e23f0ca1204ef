"""The routes in SQL with all their versions; those that answer are cached for a second on every replica."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from contracts.core.base import Count
from contracts.core.pages import Page
from contracts.models.experiments import GuardEnd
from contracts.models.routes import RouteSpec, RouteVersion
from gateway.routing.errors import RouteNotFound, RouteVersionNotFound
from gateway.storage.audit_log import Actor, note
from gateway.storage.dialects import insert_if_missing
from gateway.storage.tables import route_versions, routes
from gateway.storage.ttl_cache import TtlCache
from servicekit.core.clock import Clock
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction

READ_SECONDS = 1.0
LOOKED_THROUGH = 100
"""Versions among which the last split is looked for."""
GUARD = Actor("guard")
_ALL = select(routes).order_by(routes.c.name)
_VERSIONS = select(route_versions, (routes.c.version == route_versions.c.version).label("active")).join(
    routes, routes.c.name == route_versions.c.name
)


class ActiveRoute(RouteSpec):
    """A route as it answers now."""

    version: Count = 1


class RouteRepository:
    """Reads and changes routes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._add = insert_if_missing(database.dialect.name, routes)
        self._known: TtlCache[None, Mapping[str, ActiveRoute]] = TtlCache(
            self._read, seconds=READ_SECONDS, capacity=1, clock=clock
        )

    async def list_routes(self) -> Mapping[str, ActiveRoute]:
        """Every route by name; a change is seen within a second on every replica."""
        return await self._known.get(None)

    async def get_update_times(self) -> Mapping[str, datetime]:
        """When each was last changed."""
        return {row["name"]: row["updated_at"] for row in await self._database.read(rows_of(_ALL))}

    async def update_route(self, name: str, spec: RouteSpec, actor: Actor) -> datetime:
        """Make a route, or give it another version, which answers from now on. The same again makes none."""
        now, kept = self._clock.now(), spec.model_dump(mode="json")
        first = {"name": name, "spec": kept, "updated_at": now, "version": 0}
        async with self._database.write() as connection:
            await connection.execute(self._add, first)  # not deleted and inserted: two at once would break
            row = await _locked(connection, name)
            if row["version"] and RouteSpec.model_validate(row["spec"]) == spec:
                unchanged: datetime = row["updated_at"]
                return unchanged
            number = await _add_version(connection, name, kept, now)
            await _activate(connection, name, number, kept, now)
            await note(connection, now, actor, "route.put", name, kept)
        self._known.invalidate(None)
        return now

    async def list_versions(self, name: str, limit: int, cursor: str | None) -> Page[RouteVersion]:
        """All versions, the newest first; raises `RouteNotFound`."""
        query = _VERSIONS.where(route_versions.c.name == name)
        if cursor:
            query = query.where(route_versions.c.version < decode_cursor(cursor, int)[0])
        rows = await self._database.read(rows_of(query.order_by(route_versions.c.version.desc()).limit(limit + 1)))
        if not rows and not cursor:
            raise RouteNotFound(name)
        more = encode_cursor(rows[limit - 1]["version"]) if len(rows) > limit else None
        return Page[RouteVersion](data=[RouteVersion(**row) for row in rows[:limit]], next_cursor=more)

    async def get_version(self, name: str, version: int) -> RouteVersion:
        """A route as it was; raises `RouteNotFound` or `RouteVersionNotFound`."""
        rows = await self._database.read(rows_of(_VERSIONS.where(_is_version(name, version))))
        if rows:
            return RouteVersion(**rows[0])
        if name not in await self.list_routes():
            raise RouteNotFound(name)
        raise RouteVersionNotFound(name, version)

    async def find_split(self, name: str) -> RouteVersion | None:
        """The version that answers, or the last experiment where that one is none; raises `RouteNotFound`."""
        query = _VERSIONS.where(route_versions.c.name == name)
        latest = query.order_by(route_versions.c.activated_at.desc(), route_versions.c.version.desc())
        found = [RouteVersion(**row) for row in await self._database.read(rows_of(latest.limit(LOOKED_THROUGH)))]
        if not found:
            raise RouteNotFound(name)
        return next((one for one in found if one.spec.is_experiment), None)

    async def end_variant(self, name: str, version: int, end: GuardEnd) -> bool:
        """Give a variant no more calls, by another version of its route; False if that version answers no more."""
        now = self._clock.now()
        async with self._database.write() as connection:
            row = await _locked(connection, name)
            if row["version"] != version:
                return False
            spec = RouteSpec.model_validate(row["spec"])
            targets = [
                target.model_copy(update={"weight": 0}) if target.variant == end.variant else target
                for target in spec.targets
            ]
            kept, ended = (
                spec.model_copy(update={"targets": targets}).model_dump(mode="json"),
                end.model_dump(mode="json"),
            )
            await _activate(connection, name, await _add_version(connection, name, kept, now), kept, now)
            marked = update(route_versions).where(_is_version(name, version)).values(ended_by=ended)
            await connection.execute(marked)
            await note(connection, now, GUARD, "route.guard", name, {**ended, "version": version})
        self._known.invalidate(None)
        return True

    async def activate_version(self, name: str, version: int, actor: Actor) -> None:
        """Have a version answer again; raises `RouteNotFound` or `RouteVersionNotFound`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            row = await _locked(connection, name)
            query = select(route_versions.c.spec).where(_is_version(name, version))
            found = (await connection.execute(query)).scalar_one_or_none()
            if found is None:
                raise RouteVersionNotFound(name, version)
            if row["version"] != version:
                await _activate(connection, name, version, found, now)
                await note(connection, now, actor, "route.activate", name, {"version": version, "was": row["version"]})
        self._known.invalidate(None)

    async def delete_route(self, name: str, actor: Actor) -> None:
        """Take a route and its versions away; raises `RouteNotFound`."""
        async with self._database.write() as connection:
            done = await connection.execute(delete(routes).where(routes.c.name == name))
            if not done.rowcount:
                raise RouteNotFound(name)
            await connection.execute(delete(route_versions).where(route_versions.c.name == name))
            await note(connection, self._clock.now(), actor, "route.delete", name, {})
        self._known.invalidate(None)

    async def _read(self, _: None) -> Mapping[str, ActiveRoute]:
        rows = await self._database.read(rows_of(_ALL), at_once=True)  # not behind another call's report
        return {row["name"]: ActiveRoute(**{**row["spec"], "version": row["version"]}) for row in rows}


def _is_version(name: str, version: int) -> ColumnElement[bool]:
    return (route_versions.c.name == name) & (route_versions.c.version == version)


async def _locked(connection: Transaction, name: str) -> Mapping[str, Any]:
    """The row of a route, which no other change touches until this one is over; raises `RouteNotFound`."""
    query = select(routes).where(routes.c.name == name).with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise RouteNotFound(name)
    return dict(row)


async def _add_version(connection: Transaction, name: str, spec: Mapping[str, Any], now: datetime) -> int:
    last = select(func.max(route_versions.c.version)).where(route_versions.c.name == name)
    number = ((await connection.execute(last)).scalar_one_or_none() or 0) + 1
    row = {"name": name, "version": number, "spec": spec, "created_at": now, "activated_at": now}
    await connection.execute(insert(route_versions).values(row))
    return number


async def _activate(connection: Transaction, name: str, version: int, spec: Mapping[str, Any], now: datetime) -> None:
    of_route = route_versions.c.name == name
    open_ones = update(route_versions).where(of_route, route_versions.c.ended_at.is_(None))
    await connection.execute(open_ones.where(route_versions.c.version != version).values(ended_at=now))
    mine = update(route_versions).where(_is_version(name, version))
    await connection.execute(mine.values(activated_at=now, ended_at=None, ended_by=None))
    changed = update(routes).where(routes.c.name == name)
    await connection.execute(changed.values(version=version, spec=spec, updated_at=now))
