"""What has a name and numbered versions: agents and prompts. One version is active; others stay and can be again.

The name's row says which version is active, which was so before, and the highest number that was ever given: a change
is one update of that row, and a reader takes row and version in one statement, so that it never sees half of a change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, Table, and_, delete, func, insert, select, update

from agent.threads.repository import Viewer
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.errors import ServiceError
from servicekit.sql.transaction import Transaction
from servicekit.sql.upserts import insert_if_absent

Rows = tuple[list[RowMapping], str | None]
"""A page of rows, and the cursor of the next one."""


@dataclass(frozen=True, slots=True)
class VersionRepository:
    """The names and versions in two tables, and what is said where one is not there or not the caller's.

    A row that is returned has the columns of the name's row, and of one version `number`, `definition` and
    `updated_at`.
    """

    names: Table
    versions: Table
    not_found: Callable[[str], ServiceError]
    """Of a name."""
    not_yours: Callable[[str], ServiceError]
    """Of a name."""
    no_version: Callable[[str, int, RowMapping], ServiceError]
    """Of a name, a number and the name's row."""

    async def save(
        self,
        connection: Transaction,
        tenant: str,
        name: str,
        definition: Mapping[str, Any],
        now: datetime,
        by: Viewer | None = None,
        *,
        activate: bool = True,
    ) -> tuple[RowMapping, bool]:
        """The version with this definition, and whether it was made now: the same definition again makes none.

        A first version is active; later ones are with `activate`. The name belongs to the key that made its newest
        version, to none if an operator's file did. Raises `not_yours`, also of a name that was another's.
        """
        digest = digest_of(definition)
        owner = {"key_id": by.key_id if by is not None else None}
        first = {"tenant": tenant, "name": name, "version": 1, "newest": 1, "created_at": now, **owner}
        if await insert_if_absent(connection, self.names, first, [self.names.c.tenant, self.names.c.name]):
            number = 1
        else:
            row = await self._locked(connection, tenant, name)
            self._require_own(row, by)
            same = None if row["deleted_at"] is not None else await self._same(connection, tenant, name, digest)
            if same is not None:
                if activate:
                    await self.point(connection, row, same)
                return await self.get_version(connection, tenant, name, same), False
            number = row["newest"] + 1
            changes: dict[str, Any] = {"newest": number, **owner}
            if row["deleted_at"] is not None:
                changes |= {"deleted_at": None, "version": number, "previous": None}
            elif activate:
                changes |= {"version": number, "previous": row["version"]}
            await connection.execute(update(self.names).where(self._named(tenant, name)).values(**changes))
        new = {"definition": dict(definition), "digest": digest, "created_at": now}
        await connection.execute(insert(self.versions).values(tenant=tenant, name=name, version=number, **new))
        return await self.get_version(connection, tenant, name, number), True

    async def get(self, connection: Transaction, tenant: str, name: str) -> RowMapping:
        """The active version; raises `not_found`."""
        query = self.rows(tenant).where(
            self.names.c.name == name,
            self.names.c.deleted_at.is_(None),
            self.versions.c.version == self.names.c.version,
        )
        row: RowMapping | None = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise self.not_found(name)
        return row

    async def get_version(self, connection: Transaction, tenant: str, name: str, number: int) -> RowMapping:
        """One version of a name that is not deleted; raises `not_found` or `no_version`."""
        query = self.rows(tenant).where(
            self.names.c.name == name, self.names.c.deleted_at.is_(None), self.versions.c.version == number
        )
        row: RowMapping | None = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise self.no_version(name, number, await self.get(connection, tenant, name))
        return row

    async def stored(self, connection: Transaction, tenant: str, name: str, number: int) -> Any:
        """One version's definition as the database has it, also of a name that was deleted; None if there is none."""
        query = select(self.versions.c.definition).where(self._version(tenant, name, number))
        return (await connection.execute(query)).scalar_one_or_none()

    async def list_names(self, connection: Transaction, tenant: str, limit: int, cursor: str | None) -> Rows:
        """The active versions by name."""
        query = self.rows(tenant).where(
            self.names.c.deleted_at.is_(None), self.versions.c.version == self.names.c.version
        )
        if cursor is not None:
            query = query.where(self.names.c.name > decode_cursor(cursor, str)[0])
        return await _page(connection, query.order_by(self.names.c.name), limit, "name")

    async def list_versions(
        self, connection: Transaction, tenant: str, name: str, limit: int, cursor: str | None
    ) -> Rows:
        """All versions, newest first; raises `not_found`."""
        await self.get(connection, tenant, name)
        query = self.rows(tenant).where(self.names.c.name == name)
        if cursor is not None:
            query = query.where(self.versions.c.version < decode_cursor(cursor, int)[0])
        return await _page(connection, query.order_by(self.versions.c.version.desc()), limit, "number")

    async def activate(self, connection: Transaction, viewer: Viewer, name: str, number: int) -> tuple[RowMapping, int]:
        """Make a version the active one, and which was until now; raises `not_found`, `not_yours` or `no_version`."""
        row = await self.own(connection, viewer, name)
        if await self.stored(connection, viewer.tenant, name, number) is None:
            raise self.no_version(name, number, row)
        await self.point(connection, row, number)
        return await self.get(connection, viewer.tenant, name), row["version"]

    async def delete_version(self, connection: Transaction, viewer: Viewer, name: str, number: int) -> None:
        """Remove a version; the caller has made sure that nothing points at it. Raises as `activate`."""
        row = await self.own(connection, viewer, name)
        gone = delete(self.versions).where(self._version(viewer.tenant, name, number)).returning(self.versions.c.name)
        if (await connection.execute(gone)).first() is None:
            raise self.no_version(name, number, row)

    async def delete(self, connection: Transaction, viewer: Viewer, name: str, now: datetime) -> None:
        """The name is gone; its versions stay for what names them. Raises `not_found` or `not_yours`."""
        await self.own(connection, viewer, name)
        await connection.execute(update(self.names).where(self._named(viewer.tenant, name)).values(deleted_at=now))

    async def own(self, connection: Transaction, viewer: Viewer, name: str) -> RowMapping:
        """The name's row, locked until the end of the transaction, if this key may change it."""
        row: RowMapping | None = await self._locked(connection, viewer.tenant, name)
        if row is None or row["deleted_at"] is not None:
            raise self.not_found(name)
        self._require_own(row, viewer)
        return row

    def rows(self, tenant: str) -> Select[Any]:
        """All versions of a tenant's names."""
        names, versions = self.names, self.versions
        return (
            select(
                names,
                versions.c.version.label("number"),
                versions.c.definition,
                versions.c.created_at.label("updated_at"),
            )
            .join(versions, and_(names.c.tenant == versions.c.tenant, names.c.name == versions.c.name))
            .where(names.c.tenant == tenant)
        )

    async def _locked(self, connection: Transaction, tenant: str, name: str) -> Any:
        query = select(self.names).where(self._named(tenant, name)).with_for_update()
        return (await connection.execute(query)).mappings().one_or_none()

    async def _same(self, connection: Transaction, tenant: str, name: str, digest: str) -> int | None:
        """The newest version with this content."""
        query = select(func.max(self.versions.c.version)).where(
            self.versions.c.tenant == tenant, self.versions.c.name == name, self.versions.c.digest == digest
        )
        same: int | None = (await connection.execute(query)).scalar_one()
        return same

    async def point(self, connection: Transaction, row: RowMapping, number: int) -> None:
        """Make a version that is there the active one of a name whose row is locked, or was made just now."""
        if row["version"] != number:
            moved = update(self.names).where(self._named(row["tenant"], row["name"]))
            await connection.execute(moved.values(version=number, previous=row["version"]))

    def _require_own(self, row: RowMapping, by: Viewer | None) -> None:
        if by is not None and by.limited and row["key_id"] != by.key_id:
            raise self.not_yours(row["name"])

    def _named(self, tenant: str, name: str) -> ColumnElement[bool]:
        return and_(self.names.c.tenant == tenant, self.names.c.name == name)

    def _version(self, tenant: str, name: str, number: int) -> ColumnElement[bool]:
        versions = self.versions
        return and_(versions.c.tenant == tenant, versions.c.name == name, versions.c.version == number)


def digest_of(definition: Mapping[str, Any]) -> str:
    """The same for the same content."""
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()


async def _page(connection: Transaction, query: Select[Any], limit: int, key: str) -> Rows:
    rows = list((await connection.execute(query.limit(limit + 1))).mappings().all())
    return rows[:limit], encode_cursor(rows[limit - 1][key]) if len(rows) > limit else None
