from __future__ import annotations

from datetime import timedelta
from typing import Any

from contracts.access.keys import KeyCreate, KeyPatch, Limits, TenantPatch
from gateway.auth.key_repository import KeyRepository
from gateway.auth.tenant_repository import TenantRepository
from gateway.storage.audit_log import Actor, list_audit_entries
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

ADMIN = Actor("key_admin", "req_1")


def _wanted(**changes: Any) -> KeyCreate:
    return KeyCreate.model_validate({"name": "k", "tenant": "acme", "scopes": ["chat"], **changes})


async def test_every_administrative_act_is_in_the_audit_log_the_newest_first(
    keys: KeyRepository, tenants: TenantRepository, database: Database, clock: ManualClock
) -> None:
    created = await keys.create_key(_wanted(), ADMIN)
    acts = [
        lambda: keys.update_key(created.id, KeyPatch(name="x"), ADMIN),
        lambda: keys.rotate_key(created.id, timedelta(hours=1), ADMIN),
        lambda: keys.revoke_key(created.id, ADMIN),
        lambda: tenants.update_tenant("acme", TenantPatch(limits=Limits(concurrency=1)), ADMIN),
    ]
    for act in acts:
        clock.advance(1)
        await act()
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await list_audit_entries(database, 2, cursor, None)
        seen += [entry.action for entry in page.data]
        if (cursor := page.next_cursor) is None:
            break
    assert seen[:4] == ["tenant.change", "key.revoke", "key.rotate", "key.change"]
    assert sorted(seen[4:]) == ["key.create", "tenant.create"]
    of_key = (await list_audit_entries(database, 50, None, created.id)).data
    assert [entry.action for entry in of_key] == ["key.revoke", "key.rotate", "key.change", "key.create"]
    assert created.secret not in str(of_key)
