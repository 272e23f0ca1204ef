"""Tenants in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.keys import Tenant, TenantCreate, TenantPatch
from contracts.pages import Page
from gateway.auditing import Actor, note
from gateway.dialects import insert_new
from gateway.errors import TenantExists, TenantNotFound
from gateway.patching import patched
from gateway.tables import tenants
from servicekit.clock import Clock
from servicekit.pages import decode_cursor, encode_cursor
from servicekit.sql import Database


class TenantLedger:
    """Creates, lists, shows and changes tenants."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, wanted: TenantCreate, actor: Actor) -> Tenant:
        """A new tenant; raises `TenantExists`."""
        now = self._clock.now()
        row = {
            "name": wanted.name,
            "limits": wanted.limits.model_dump(mode="json"),
            "budgets": [budget.model_dump(mode="json") for budget in wanted.budgets],
            "created_at": now,
        }
        async with self._database.write() as connection:
            if not await insert_new(self._database, connection, tenants, [row]):
                raise TenantExists(wanted.name)
            await note(connection, now, actor, "tenant.create", wanted.name, {})
        return _tenant(row)

    async def ensure(self, connection: AsyncConnection, name: str, now: datetime, actor: Actor) -> None:
        """Create the tenant without limits, inside a transaction, if it does not exist."""
        row = {"name": name, "limits": {}, "budgets": [], "created_at": now}
        if await insert_new(self._database, connection, tenants, [row]):
            await note(connection, now, actor, "tenant.create", name, {})

    async def get(self, name: str) -> Tenant:
        """One tenant; raises `TenantNotFound`."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(tenants).where(tenants.c.name == name))).mappings().one_or_none()
        if row is None:
            raise TenantNotFound(name)
        return _tenant(row)

    async def change(self, name: str, wanted: TenantPatch, actor: Actor) -> Tenant:
        """Change what was sent; raises `TenantNotFound`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            query = select(tenants).where(tenants.c.name == name).with_for_update()
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None:
                raise TenantNotFound(name)
            values = patched(wanted, dict(row))
            if values:
                await connection.execute(update(tenants).where(tenants.c.name == name).values(**values))
            await note(connection, now, actor, "tenant.change", name, {"fields": sorted(wanted.model_fields_set)})
        return _tenant({**row, **values})

    async def page(self, limit: int, cursor: str | None) -> Page[Tenant]:
        """Tenants by name."""
        query = select(tenants).order_by(tenants.c.name).limit(limit + 1)
        if cursor:
            query = query.where(tenants.c.name > decode_cursor(cursor, str)[0])
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        more = encode_cursor(rows[limit - 1]["name"]) if len(rows) > limit else None
        return Page[Tenant](data=[_tenant(row) for row in rows[:limit]], next_cursor=more)


def _tenant(row: RowMapping | dict[str, Any]) -> Tenant:
    return Tenant.model_validate(dict(row))
