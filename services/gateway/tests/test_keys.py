from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from contracts.keys import Budget, KeyCreate, Limits, TenantCreate
from gateway.auditing import Actor
from gateway.errors import (
    GrantRefused,
    KeyExpired,
    KeyMissing,
    KeyNotFound,
    KeyRevoked,
    KeyUnknown,
    LastAdminKey,
    ScopeMissing,
    TenantExists,
)
from gateway.key_ledger import KeyLedger
from gateway.keyring import Keyring
from gateway.keys import hash_secret, is_secret, new_secret
from gateway.tables import audit
from gateway.tables import keys as keys_table
from gateway.tenant_ledger import TenantLedger
from servicekit.clock import ManualClock
from servicekit.sql import Database

ADMIN = Actor("key_admin", "req_1")


def _wanted(**changes: Any) -> KeyCreate:
    return KeyCreate.model_validate({"name": "k", "tenant": "acme", "scopes": ["chat"], **changes})


def test_a_secret_is_random_long_and_recognisable() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert is_secret(first)
    assert len(first) >= 3 + 43
    assert not is_secret("gw_short")
    assert not is_secret(f"{first} ")


async def test_only_the_hash_of_a_secret_is_stored(keys: KeyLedger, database: Database) -> None:
    created = await keys.create(_wanted(), ADMIN)
    async with database.read() as connection:
        row = (await connection.execute(select(keys_table))).mappings().one()
    assert row["secret_hash"] == hash_secret(created.secret)
    assert not any(created.secret in str(value) for value in row.values())
    assert created.secret.startswith(created.prefix)
    assert not hasattr(await keys.get(created.id), "secret")


async def test_creating_a_key_creates_its_tenant_and_is_audited_without_the_secret(
    keys: KeyLedger, tenants: TenantLedger, database: Database
) -> None:
    created = await keys.create(_wanted(tenant="brand-new"), ADMIN)
    assert (await tenants.get("brand-new")).name == "brand-new"
    async with database.read() as connection:
        rows = (await connection.execute(select(audit).order_by(audit.c.id))).mappings().all()
    assert {row["action"] for row in rows} == {"tenant.create", "key.create"}
    assert all(row["actor_key_id"] == "key_admin" and row["request_id"] == "req_1" for row in rows)
    assert created.secret not in str([dict(row) for row in rows])


async def test_an_unknown_a_missing_and_a_malformed_key_say_what_to_do(keys: KeyLedger, clock: ManualClock) -> None:
    keyring = Keyring(keys, clock, 0.9)
    for header in (None, "", "Basic abc", "Bearer "):
        with pytest.raises(KeyMissing, match="Authorization: Bearer"):
            await keyring.identify(header)
    for header in ("Bearer nonsense", f"Bearer {new_secret()}"):
        with pytest.raises(KeyUnknown, match="ask an admin"):
            await keyring.identify(header)


async def test_a_revocation_elsewhere_is_effective_within_a_second(keys: KeyLedger, clock: ManualClock) -> None:
    created = await keys.create(_wanted(), ADMIN)
    here = Keyring(keys, clock, 0.9)
    assert (await here.identify(f"Bearer {created.secret}")).key_id == created.id
    assert (await here.still_active(created.id)).tenant == "acme"
    await keys.revoke(created.id, ADMIN)  # by another replica: nothing here is told
    clock.advance(0.95)
    with pytest.raises(KeyRevoked):
        await here.identify(f"bearer {created.secret}")
    with pytest.raises(GrantRefused):
        await here.still_active(created.id)


async def test_a_revocation_here_is_effective_at_once(keys: KeyLedger, clock: ManualClock) -> None:
    created = await keys.create(_wanted(), ADMIN)
    keyring = Keyring(keys, clock, 0.9)
    await keyring.identify(f"Bearer {created.secret}")
    await keys.revoke(created.id, ADMIN)
    keyring.forget(created.id)
    with pytest.raises(KeyRevoked):
        await keyring.identify(f"Bearer {created.secret}")


async def test_a_key_expires_to_the_moment_even_while_remembered(keys: KeyLedger, clock: ManualClock) -> None:
    created = await keys.create(_wanted(expires_at=clock.now() + timedelta(seconds=0.5)), ADMIN)
    keyring = Keyring(keys, clock, 0.9)
    await keyring.identify(f"Bearer {created.secret}")
    clock.advance(0.5)
    with pytest.raises(KeyExpired):
        await keyring.identify(f"Bearer {created.secret}")


async def test_a_key_without_the_scope_is_refused(keys: KeyLedger, clock: ManualClock) -> None:
    created = await keys.create(_wanted(scopes=["search", "chat"]), ADMIN)
    principal = await Keyring(keys, clock, 0.9).identify(f"Bearer {created.secret}")
    principal.require("chat")
    principal.require("documents", "search")
    with pytest.raises(ScopeMissing, match="'documents'"):
        principal.require("documents")
    assert not principal.is_admin


async def test_the_last_working_admin_key_cannot_be_revoked(keys: KeyLedger, clock: ManualClock) -> None:
    first = await keys.create(_wanted(scopes=["admin"]), ADMIN)
    await keys.create(_wanted(scopes=["admin"], expires_at=clock.now() + timedelta(seconds=1)), ADMIN)
    clock.advance(2)
    with pytest.raises(LastAdminKey):
        await keys.revoke(first.id, ADMIN)
    third = await keys.create(_wanted(scopes=["admin"]), ADMIN)
    await keys.revoke(first.id, ADMIN)
    await keys.revoke(first.id, ADMIN)  # again changes nothing
    with pytest.raises(LastAdminKey):
        await keys.revoke(third.id, ADMIN)
    with pytest.raises(KeyNotFound):
        await keys.revoke("key_nope", ADMIN)


async def test_keys_are_listed_page_by_page_without_gap_or_repeat(keys: KeyLedger, clock: ManualClock) -> None:
    created = []
    for number in range(7):
        created.append((await keys.create(_wanted(name=f"k{number}", tenant=f"t{number % 2}"), ADMIN)).id)
        clock.advance(number % 2)  # some share a moment
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await keys.page(3, cursor)
        seen += [key.id for key in page.data]
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(seen) == sorted(created)
    assert len(seen) == 7
    assert {key.tenant for key in (await keys.page(50, None, "t1")).data} == {"t1"}


async def test_limits_and_budgets_of_key_and_tenant_reach_the_call(keys: KeyLedger, tenants: TenantLedger) -> None:
    day = Budget(window="day", usd=Decimal("1.5"))
    await tenants.create(TenantCreate(name="acme", limits=Limits(concurrency=3), budgets=[day]), ADMIN)
    created = await keys.create(_wanted(limits=Limits(tokens_per_minute=2), budgets=[day]), ADMIN)
    principal = await keys.by_id(created.id)
    assert (principal.limits.tokens_per_minute, principal.tenant_limits.concurrency) == (2, 3)
    assert principal.budgets == principal.tenant_budgets == (day,)


async def test_a_tenants_name_can_be_taken_once(tenants: TenantLedger) -> None:
    wanted = TenantCreate(name="acme", limits=Limits(requests_per_minute=3))
    assert (await tenants.create(wanted, ADMIN)).limits.requests_per_minute == 3
    with pytest.raises(TenantExists):
        await tenants.create(wanted, ADMIN)
