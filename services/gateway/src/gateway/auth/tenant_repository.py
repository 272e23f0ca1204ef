"""Tenants in SQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, or_, select, update

from contracts.access.keys import Tenant, TenantCreate, TenantPatch
from contracts.core.pages import Page
from gateway.auth.errors import TenantDeleting, TenantExists, TenantNotFound
from gateway.auth.partial_update import changed_columns
from gateway.storage.audit_log import Actor, note
from gateway.storage.dialects import insert_missing
from gateway.storage.tables import keys, tenants
from servicekit.core.clock import Clock
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction


class TenantRepository:
    """Creates, lists, shows and changes tenants."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create_tenant(self, wanted: TenantCreate, actor: Actor) -> Tenant:
        """A new tenant; raises `TenantExists`, or `TenantDeleting` while one of this name goes."""
        now = self._clock.now()
        row = {
            "name": wanted.name,
            "limits": wanted.limits.model_dump(mode="json"),
            "budgets": [budget.model_dump(mode="json") for budget in wanted.budgets],
            "records": wanted.records,
            "records_days": wanted.records_days,
            "created_at": now,
        }
        async with self._database.write() as connection:
            if not await insert_missing(self._database, connection, tenants, [row]):
                await _refuse_deleting(connection, wanted.name)
                raise TenantExists(wanted.name)
            await note(connection, now, actor, "tenant.create", wanted.name, {})
        return _tenant(row)

    async def ensure_tenant(self, connection: Transaction, name: str, now: datetime, actor: Actor) -> None:
        """Create the tenant without limits, inside a transaction, if it does not exist; raises `TenantDeleting`."""
        row = {"name": name, "limits": {}, "budgets": [], "created_at": now}
        if await insert_missing(self._database, connection, tenants, [row]):
            await note(connection, now, actor, "tenant.create", name, {})
            return
        await _refuse_deleting(connection, name)

    async def get_tenant(self, name: str) -> Tenant:
        """One tenant; raises `TenantNotFound`."""
        row = await self._database.read(
            lambda connection: (
                connection.execute(select(tenants).where(tenants.c.name == name)).mappings().one_or_none()
            )
        )
        if row is None:
            raise TenantNotFound(name)
        return _tenant(row)

    async def update_tenant(self, name: str, wanted: TenantPatch, actor: Actor) -> Tenant:
        """Change what was sent; raises `TenantNotFound`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            query = select(tenants).where(tenants.c.name == name).with_for_update()
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None:
                raise TenantNotFound(name)
            values = changed_columns(wanted, dict(row))
            if values:
                await connection.execute(update(tenants).where(tenants.c.name == name).values(**values))
            await note(connection, now, actor, "tenant.change", name, {"fields": sorted(wanted.model_fields_set)})
        return _tenant({**row, **values})

    async def begin_deletion(self, name: str, actor: Actor) -> list[str]:
        """Mark a tenant as being deleted and revoke its keys; returns all of their ids. Raises `TenantNotFound`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            marked = update(tenants).where(tenants.c.name == name).values(deleting=True).returning(tenants.c.name)
            if (await connection.execute(marked)).first() is None:
                raise TenantNotFound(name)
            active = keys.c.tenant == name, keys.c.revoked_at.is_(None)
            await connection.execute(update(keys).where(*active).values(revoked_at=now))
            await note(connection, now, actor, "tenant.delete", name, {})
            return list((await connection.execute(select(keys.c.id).where(keys.c.tenant == name))).scalars())

    async def keys_of_deleting(self, name: str) -> list[str] | None:
        """The ids of all keys of a tenant that is being deleted; null if there is none of this name."""
        async with self._database.read() as connection:
            query = select(tenants.c.deleting).where(tenants.c.name == name)
            if not (await connection.execute(query)).scalar_one_or_none():
                return None
            return list((await connection.execute(select(keys.c.id).where(keys.c.tenant == name))).scalars())

    async def deleted_tenants(self, known: Collection[str]) -> frozenset[str]:
        """Tenants that are being deleted, and those of `known` that are gone since."""
        query = select(tenants.c.name, tenants.c.deleting)
        query = query.where(or_(tenants.c.deleting.is_(True), tenants.c.name.in_(known)))
        there = await self._database.read(
            lambda connection: {row.name: row.deleting for row in connection.execute(query)}
        )
        return frozenset(name for name in {*known, *there} if there.get(name, True))

    async def list_tenants(self, limit: int, cursor: str | None) -> Page[Tenant]:
        """Tenants by name."""
        query = select(tenants).order_by(tenants.c.name).limit(limit + 1)
        if cursor:
            query = query.where(tenants.c.name > decode_cursor(cursor, str)[0])
        rows = await self._database.read(rows_of(query))
        more = encode_cursor(rows[limit - 1]["name"]) if len(rows) > limit else None
        return Page[Tenant](data=[_tenant(row) for row in rows[:limit]], next_cursor=more)


async def _refuse_deleting(connection: Transaction, name: str) -> None:
    query = select(tenants.c.deleting).where(tenants.c.name == name)
    if (await connection.execute(query)).scalar_one_or_none():
        raise TenantDeleting(name)


def _tenant(row: RowMapping | dict[str, Any]) -> Tenant:
    return Tenant.model_validate({name: value for name, value in row.items() if value is not None})
