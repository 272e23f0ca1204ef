"""API keys in SQL. Only hashes of secrets are stored."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Exists, RowMapping, and_, exists, or_, select, update

from contracts.access.guardrails import Guardrails
from contracts.access.keys import Budget, Key, KeyCreate, KeyCreated, KeyPatch, Limits
from contracts.core.pages import Page
from gateway.auth.errors import ExpiryPassed, GrantRefused, KeyIsRevoked, KeyNotFound, KeyUnknown, LastAdminKey
from gateway.auth.keys import PREFIX_LENGTH, Principal, hash_secret, new_secret
from gateway.auth.partial_update import changed_columns
from gateway.auth.tenant_repository import TenantRepository
from gateway.storage.audit_log import Actor, note
from gateway.storage.dialects import insert_missing
from gateway.storage.tables import keys, tenants
from servicekit.core.clock import Clock
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction


class KeyRepository:
    """Creates, lists, changes, rotates, revokes and finds keys."""

    def __init__(self, database: Database, tenant_repository: TenantRepository, clock: Clock) -> None:
        self._database = database
        self._tenants = tenant_repository
        self._clock = clock

    async def create_key(self, wanted: KeyCreate, actor: Actor) -> KeyCreated:
        """A new key, and its tenant if that is new; the only time that the secret is seen."""
        secret, now = new_secret(), self._clock.now()
        if wanted.expires_at is not None and wanted.expires_at <= now:
            raise ExpiryPassed
        row = key_row(wanted, new_id("key"), secret, self._clock)
        async with self._database.write() as connection:
            await self._tenants.ensure_tenant(connection, wanted.tenant, now, actor)
            await insert_missing(self._database, connection, keys, [row])
            detail = {"name": wanted.name, "tenant": wanted.tenant, "scopes": row["scopes"]}
            await note(connection, now, actor, "key.create", row["id"], detail)
        return KeyCreated.model_validate({**row, "secret": secret})

    async def list_keys(self, limit: int, cursor: str | None, tenant: str | None = None) -> Page[Key]:
        """Keys, the oldest first; revoked ones too."""
        query = select(keys).order_by(keys.c.created_at, keys.c.id).limit(limit + 1)
        if tenant is not None:
            query = query.where(keys.c.tenant == tenant)
        if cursor:
            key_id = decode_cursor(cursor, str)[0]
            earlier = keys.alias()
            created = select(earlier.c.created_at).where(earlier.c.id == key_id).scalar_subquery()
            query = query.where(
                or_(keys.c.created_at > created, and_(keys.c.created_at == created, keys.c.id > key_id))
            )
        rows = await self._database.read(rows_of(query))
        more = encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
        return Page[Key](data=[Key.model_validate(dict(row)) for row in rows[:limit]], next_cursor=more)

    async def get_key(self, key_id: str) -> Key:
        """One key; raises `KeyNotFound`."""
        row = await self._database.read(
            lambda connection: connection.execute(select(keys).where(keys.c.id == key_id)).mappings().one_or_none()
        )
        if row is None:
            raise KeyNotFound(key_id)
        return Key.model_validate(dict(row))

    async def revoke_key(self, key_id: str, actor: Actor) -> None:
        """Revoke for ever; again changes nothing. Raises `KeyNotFound` or `LastAdminKey`."""
        now = self._clock.now()
        may_go = or_(keys.c.admin.is_(False), _another_admin(key_id, now))
        change = update(keys).where(keys.c.id == key_id, keys.c.revoked_at.is_(None), may_go).values(revoked_at=now)
        async with self._database.write() as connection:
            await _hold_admins(connection)
            if (await connection.execute(change)).rowcount:
                await note(connection, now, actor, "key.revoke", key_id, {})
                return
        if (await self.get_key(key_id)).revoked_at is None:
            raise LastAdminKey

    async def update_key(self, key_id: str, wanted: KeyPatch, actor: Actor) -> Key:
        """Change what was sent; raises `KeyNotFound`, `KeyIsRevoked`, `ExpiryPassed` or `LastAdminKey`."""
        now = self._clock.now()
        if wanted.expires_at is not None and wanted.expires_at <= now:
            raise ExpiryPassed
        async with self._database.write() as connection:
            await _hold_admins(connection)
            row = dict(await self._working(connection, key_id))
            values = changed_columns(wanted, row)
            if "scopes" in values:
                values["admin"] = "admin" in values["scopes"]
            stays_admin = values.get("admin", True) and values.get("expires_at") is None
            if row["admin"] and not stays_admin and not await self._another_admin(connection, key_id, now):
                raise LastAdminKey
            if values:
                await connection.execute(update(keys).where(keys.c.id == key_id).values(**values))
            await note(connection, now, actor, "key.change", key_id, {"fields": sorted(wanted.model_fields_set)})
        return await self.get_key(key_id)

    async def rotate_key(self, key_id: str, overlap: timedelta, actor: Actor) -> KeyCreated:
        """A new secret; the one before is good beside it for a while, the one before that no more.

        Raises `KeyNotFound` or `KeyIsRevoked`.
        """
        now, secret = self._clock.now(), new_secret()
        async with self._database.write() as connection:
            row = dict(await self._working(connection, key_id))
            values = {
                "prefix": secret[:PREFIX_LENGTH],
                "secret_hash": hash_secret(secret),
                "previous_hash": row["secret_hash"] if overlap else None,
                "previous_until": now + overlap if overlap else None,
            }
            await connection.execute(update(keys).where(keys.c.id == key_id).values(**values))
            await note(connection, now, actor, "key.rotate", key_id, {"overlap_seconds": overlap.total_seconds()})
        return KeyCreated.model_validate({**row, **values, "secret": secret})

    async def _working(self, connection: Transaction, key_id: str) -> RowMapping:
        query = select(keys).where(keys.c.id == key_id).with_for_update()
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise KeyNotFound(key_id)
        if row["revoked_at"] is not None:
            raise KeyIsRevoked
        return row

    async def _another_admin(self, connection: Transaction, key_id: str, now: datetime) -> bool:
        return bool((await connection.execute(select(_another_admin(key_id, now)))).scalar_one())

    async def get_by_hash(self, secret_hash: str) -> Principal:
        """The key with this hash, revoked or not; raises `KeyUnknown`. A secret that was rotated away ends with its
        overlap."""
        row = await self._row(or_(keys.c.secret_hash == secret_hash, keys.c.previous_hash == secret_hash))
        if row is None:
            raise KeyUnknown
        if hmac.compare_digest(row["secret_hash"], secret_hash):
            return _principal_of(row, row["expires_at"])
        if not hmac.compare_digest(row["previous_hash"], secret_hash):
            raise KeyUnknown
        return _principal_of(row, min(row["previous_until"], row["expires_at"] or row["previous_until"]))

    async def get_by_id(self, key_id: str) -> Principal:
        """The key with this id, revoked or not; raises `GrantRefused`."""
        row = await self._row(keys.c.id == key_id)
        if row is None:
            raise GrantRefused
        return _principal_of(row, row["expires_at"])

    async def _row(self, condition: ColumnElement[bool]) -> RowMapping | None:
        query = select(keys, *_OF_THE_TENANT).join(tenants, tenants.c.name == keys.c.tenant).where(condition)
        return await self._database.read(  # every call waits for it, and no call is to wait for another's report
            lambda connection: connection.execute(query).mappings().one_or_none(), at_once=True
        )


_OF_THE_TENANT = [tenants.c[name].label(f"tenant_{name}") for name in ("limits", "budgets", "records", "records_days")]


async def _hold_admins(connection: Transaction) -> None:
    """Have changes of keys wait for one another where two could take away the last two administrators."""
    await connection.execute(select(keys.c.id).where(keys.c.admin.is_(True)).order_by(keys.c.id).with_for_update())


def _another_admin(key_id: str, now: datetime) -> Exists:
    other = keys.alias()
    working = and_(other.c.revoked_at.is_(None), or_(other.c.expires_at.is_(None), other.c.expires_at > now))
    return exists().where(and_(other.c.admin, other.c.id != key_id, working))


def key_row(wanted: KeyCreate, key_id: str, secret: str, clock: Clock) -> dict[str, Any]:
    """The row of a new key."""
    body = wanted.model_dump(mode="json", exclude={"expires_at"})
    return {
        **body,
        "id": key_id,
        "scopes": list(dict.fromkeys(wanted.scopes)),
        "admin": "admin" in wanted.scopes,
        "prefix": secret[:PREFIX_LENGTH],
        "secret_hash": hash_secret(secret),
        "previous_hash": None,
        "previous_until": None,
        "expires_at": wanted.expires_at,
        "created_at": clock.now(),
        "last_used_at": None,
        "revoked_at": None,
    }


def _principal_of(row: RowMapping, expires_at: datetime | None) -> Principal:
    return Principal(
        key_id=row["id"],
        tenant=row["tenant"],
        scopes=frozenset(row["scopes"]),
        models=None if row["models"] is None else tuple(row["models"]),
        collections=None if row["collections"] is None else tuple(row["collections"]),
        limits=Limits.model_validate(row["limits"]),
        budgets=tuple(Budget.model_validate(budget) for budget in row["budgets"]),
        tenant_limits=Limits.model_validate(row["tenant_limits"]),
        tenant_budgets=tuple(Budget.model_validate(budget) for budget in row["tenant_budgets"]),
        guardrails=Guardrails.model_validate(row["guardrails"] or {}),
        records=row["records"] or row["tenant_records"],
        records_days=row["records_days"] or row["tenant_records_days"],
        abstain=row["abstain"],
        expires_at=expires_at,
        revoked_at=row["revoked_at"],
    )
