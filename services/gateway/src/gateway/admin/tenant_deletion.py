"""Deleting a tenant: its keys at once, everything else by ingest's job, and last what the gateway has itself.

What it cost stays in the ledger, in rows that name nobody: the sums of days and models go on being true. Of the act
itself the audit log keeps who did it, and a digest of the name, by which whoever knows the name finds it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import String, cast, delete, or_, select, update

from contracts.access.tenancy import TenantDeletion, TenantKeys
from gateway.auth.errors import TenantInUse
from gateway.auth.keys import Principal
from gateway.auth.tokens import DOCUMENTS, GRANT_HEADER
from gateway.cache.store import StoreUnavailable
from gateway.dependencies import Dependencies
from gateway.feedback import deletion as feedback
from gateway.limits.limiter import LimiterUnavailable
from gateway.monitors import repository as monitors
from gateway.storage.audit_log import Actor, note
from gateway.storage.tables import audit, keys, reservations, sessions, tenants, usage
from gateway.usage.records import GONE, anonymous
from servicekit.core.errors import NotReady
from servicekit.sql.transaction import Transaction

ROWS = 1000


class RedisNeeded(NotReady):
    """What Redis holds of a tenant can't be removed now."""

    code = "redis_unreachable"

    def __init__(self) -> None:
        super().__init__("Redis can't be reached, so that a tenant's limits and answers can't be removed.")


async def begin(deps: Dependencies, name: str, admin: Principal, request_id: str) -> TenantDeletion:
    """Revoke all keys of a tenant, and have ingest delete it; again takes the job up that is under way.

    Raises `TenantNotFound`, or `TenantInUse` for the tenant of the key that asks.
    """
    if name == admin.tenant:
        raise TenantInUse(name)
    key_ids = await deps.tenants.begin_deletion(name, Actor(admin.key_id, request_id))
    deps.authenticator.invalidate_tenant(name)
    return await deps.peers.ingest.call(
        "POST",
        f"/v1/tenants/{name}/deletion",
        TenantDeletion,
        token=deps.issuer.token(admin, DOCUMENTS, request_id),
        body=TenantKeys(key_ids=key_ids),
        headers={GRANT_HEADER: deps.issuer.deletion_grant(admin, name, request_id)},
    )


async def end(deps: Dependencies, name: str, admin: Principal, request_id: str) -> None:
    """Remove what agents, the lab, inference and the gateway have. Nothing but a tenant whose deletion was begun is
    touched."""
    key_ids = await deps.tenants.keys_of_deleting(name)
    if key_ids is None:
        return  # it was done before
    token = deps.issuer.deletion_token(admin, name, request_id)
    for peer in (deps.peers.agent, deps.peers.lab, deps.peers.inference):
        await peer.send("POST", f"/v1/tenants/{name}/purge", token=token, body=TenantKeys(key_ids=key_ids))
    try:
        await deps.limiter.delete_counters([("tenant", name), *(("key", key_id) for key_id in key_ids)])
        await deps.answer_cache.delete_answers(name)
    except (LimiterUnavailable, StoreUnavailable):
        raise RedisNeeded from None
    await _anonymise_usage(deps, name)
    await deps.records.delete_records_of_tenant(name)
    async with deps.database.write() as connection:
        await _audit(connection, name, key_ids)
        for secret in (keys.c.secret_hash, keys.c.previous_hash):
            whose = select(secret).where(keys.c.tenant == name, secret.is_not(None))
            await connection.execute(delete(sessions).where(sessions.c.key_hash.in_(whose)))
        await feedback.delete_tenant(connection, name)
        await monitors.delete_tenant(connection, name)
        await connection.execute(delete(keys).where(keys.c.tenant == name))
        await connection.execute(delete(tenants).where(tenants.c.name == name))
        await note(connection, deps.clock.now(), Actor(admin.key_id, None), "tenant.deleted", digest(name), {})
    await deps.database.clean()


def digest(name: str) -> str:
    """What the audit log calls a tenant that is gone."""
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


async def _anonymise_usage(deps: Dependencies, name: str) -> None:
    """Usage in steps, each of which leaves less to do."""
    for table in (reservations, usage):
        some = select(table).where(table.c.tenant == name).limit(ROWS)
        while True:
            async with deps.database.write() as connection:
                rows = (await connection.execute(some)).mappings().all()
                for row in rows:
                    changed: dict[str, Any] = anonymous(dict(row))
                    await connection.execute(update(table).where(table.c.id == row["id"]).values(**changed))
            if len(rows) < ROWS:
                break


async def _audit(connection: Transaction, name: str, key_ids: Sequence[str]) -> None:
    detail, tuned = cast(audit.c.detail, String), f"+{name}."  # part of the names of its tuned models
    about = [detail.contains(word, autoescape=True) for word in (f'"{name}"', tuned)]
    models = audit.c.subject.contains(tuned, autoescape=True)
    await connection.execute(delete(audit).where(or_(audit.c.subject == name, models, *about)))
    for first in range(0, len(key_ids), ROWS):
        some = key_ids[first : first + ROWS]
        await connection.execute(delete(audit).where(audit.c.subject.in_(some)))
        await connection.execute(update(audit).where(audit.c.actor_key_id.in_(some)).values(actor_key_id=GONE))
