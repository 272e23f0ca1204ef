from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from contracts.keys import Budget, KeyCreate, KeyPatch, Limits, TenantCreate, TenantPatch
from gateway.auth.authentication import Authenticator
from gateway.auth.errors import (
    ExpiryPassed,
    GrantRefused,
    KeyExpired,
    KeyIsRevoked,
    KeyMissing,
    KeyNotFound,
    KeyRevoked,
    KeyUnknown,
    LastAdminKey,
    ScopeMissing,
    TenantExists,
)
from gateway.auth.key_repository import KeyRepository
from gateway.auth.keys import hash_secret, is_secret, new_secret
from gateway.auth.tenant_repository import TenantRepository
from gateway.storage.audit_log import Actor, list_audit_entries
from gateway.storage.tables import audit
from gateway.storage.tables import keys as keys_table
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

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


async def test_only_the_hash_of_a_secret_is_stored(keys: KeyRepository, database: Database) -> None:
    created = await keys.create_key(_wanted(), ADMIN)
    async with database.read() as connection:
        row = (await connection.execute(select(keys_table))).mappings().one()
    assert row["secret_hash"] == hash_secret(created.secret)
    assert not any(created.secret in str(value) for value in row.values())
    assert created.secret.startswith(created.prefix)
    assert not hasattr(await keys.get_key(created.id), "secret")


async def test_creating_a_key_creates_its_tenant_and_is_audited_without_the_secret(
    keys: KeyRepository, tenants: TenantRepository, database: Database
) -> None:
    created = await keys.create_key(_wanted(tenant="brand-new"), ADMIN)
    assert (await tenants.get_tenant("brand-new")).name == "brand-new"
    async with database.read() as connection:
        rows = (await connection.execute(select(audit).order_by(audit.c.id))).mappings().all()
    assert {row["action"] for row in rows} == {"tenant.create", "key.create"}
    assert all(row["actor_key_id"] == "key_admin" and row["request_id"] == "req_1" for row in rows)
    assert created.secret not in str([dict(row) for row in rows])


async def test_an_unknown_a_missing_and_a_malformed_key_say_what_to_do(keys: KeyRepository, clock: ManualClock) -> None:
    authenticator = Authenticator(keys, clock, 0.9)
    for header in (None, "", "Basic abc", "Bearer "):
        with pytest.raises(KeyMissing, match="Authorization: Bearer"):
            await authenticator.identify(header)
    for header in ("Bearer nonsense", f"Bearer {new_secret()}"):
        with pytest.raises(KeyUnknown, match="ask an admin"):
            await authenticator.identify(header)


async def test_a_revocation_elsewhere_is_effective_within_a_second(keys: KeyRepository, clock: ManualClock) -> None:
    created = await keys.create_key(_wanted(), ADMIN)
    here = Authenticator(keys, clock, 0.9)
    assert (await here.identify(f"Bearer {created.secret}")).key_id == created.id
    assert (await here.require_active(created.id)).tenant == "acme"
    await keys.revoke_key(created.id, ADMIN)  # by another replica: nothing here is told
    clock.advance(0.95)
    with pytest.raises(KeyRevoked):
        await here.identify(f"bearer {created.secret}")
    with pytest.raises(GrantRefused):
        await here.require_active(created.id)


async def test_a_revocation_here_is_effective_at_once(keys: KeyRepository, clock: ManualClock) -> None:
    created = await keys.create_key(_wanted(), ADMIN)
    authenticator = Authenticator(keys, clock, 0.9)
    await authenticator.identify(f"Bearer {created.secret}")
    await keys.revoke_key(created.id, ADMIN)
    authenticator.invalidate(created.id)
    with pytest.raises(KeyRevoked):
        await authenticator.identify(f"Bearer {created.secret}")


async def test_a_key_expires_to_the_moment_even_while_remembered(keys: KeyRepository, clock: ManualClock) -> None:
    created = await keys.create_key(_wanted(expires_at=clock.now() + timedelta(seconds=0.5)), ADMIN)
    authenticator = Authenticator(keys, clock, 0.9)
    await authenticator.identify(f"Bearer {created.secret}")
    clock.advance(0.5)
    with pytest.raises(KeyExpired):
        await authenticator.identify(f"Bearer {created.secret}")


async def test_a_key_without_the_scope_is_refused(keys: KeyRepository, clock: ManualClock) -> None:
    created = await keys.create_key(_wanted(scopes=["search", "chat"]), ADMIN)
    principal = await Authenticator(keys, clock, 0.9).identify(f"Bearer {created.secret}")
    principal.require("chat")
    principal.require("documents", "search")
    with pytest.raises(ScopeMissing, match="'documents'"):
        principal.require("documents")
    assert not principal.is_admin


async def test_the_last_working_admin_key_cannot_be_revoked(keys: KeyRepository, clock: ManualClock) -> None:
    first = await keys.create_key(_wanted(scopes=["admin"]), ADMIN)
    await keys.create_key(_wanted(scopes=["admin"], expires_at=clock.now() + timedelta(seconds=1)), ADMIN)
    clock.advance(2)
    with pytest.raises(LastAdminKey):
        await keys.revoke_key(first.id, ADMIN)
    third = await keys.create_key(_wanted(scopes=["admin"]), ADMIN)
    await keys.revoke_key(first.id, ADMIN)
    await keys.revoke_key(first.id, ADMIN)  # again changes nothing
    with pytest.raises(LastAdminKey):
        await keys.revoke_key(third.id, ADMIN)
    with pytest.raises(KeyNotFound):
        await keys.revoke_key("key_nope", ADMIN)


async def test_keys_are_listed_page_by_page_without_gap_or_repeat(keys: KeyRepository, clock: ManualClock) -> None:
    created = []
    for number in range(7):
        created.append((await keys.create_key(_wanted(name=f"k{number}", tenant=f"t{number % 2}"), ADMIN)).id)
        clock.advance(number % 2)  # some share a moment
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await keys.list_keys(3, cursor)
        seen += [key.id for key in page.data]
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(seen) == sorted(created)
    assert len(seen) == 7
    assert {key.tenant for key in (await keys.list_keys(50, None, "t1")).data} == {"t1"}


async def test_limits_and_budgets_of_key_and_tenant_reach_the_call(
    keys: KeyRepository, tenants: TenantRepository
) -> None:
    day = Budget(window="day", usd=Decimal("1.5"))
    await tenants.create_tenant(TenantCreate(name="acme", limits=Limits(concurrency=3), budgets=[day]), ADMIN)
    created = await keys.create_key(_wanted(limits=Limits(tokens_per_minute=2), budgets=[day]), ADMIN)
    principal = await keys.get_by_id(created.id)
    assert (principal.limits.tokens_per_minute, principal.tenant_limits.concurrency) == (2, 3)
    assert principal.budgets == principal.tenant_budgets == (day,)


async def test_a_tenants_name_can_be_taken_once(tenants: TenantRepository) -> None:
    wanted = TenantCreate(name="acme", limits=Limits(requests_per_minute=3))
    assert (await tenants.create_tenant(wanted, ADMIN)).limits.requests_per_minute == 3
    with pytest.raises(TenantExists):
        await tenants.create_tenant(wanted, ADMIN)


async def test_a_rotated_key_works_with_both_secrets_until_the_overlap_ends(
    keys: KeyRepository, clock: ManualClock
) -> None:
    created = await keys.create_key(_wanted(), ADMIN)
    authenticator = Authenticator(keys, clock, 0.9)
    rotated = await keys.rotate_key(created.id, timedelta(hours=1), ADMIN)
    assert (rotated.id, rotated.previous_until) == (created.id, clock.now() + timedelta(hours=1))
    for secret in (created.secret, rotated.secret):
        assert (await authenticator.identify(f"Bearer {secret}")).key_id == created.id
    clock.advance(3600)
    with pytest.raises(KeyExpired):
        await authenticator.identify(f"Bearer {created.secret}")
    assert (await authenticator.identify(f"Bearer {rotated.secret}")).key_id == created.id
    again = await keys.rotate_key(created.id, timedelta(hours=1), ADMIN)
    with pytest.raises(KeyUnknown):
        await Authenticator(keys, clock, 0.9).identify(f"Bearer {created.secret}")
    at_once = await keys.rotate_key(created.id, timedelta(0), ADMIN)
    for secret in (rotated.secret, again.secret):
        with pytest.raises(KeyUnknown):
            await Authenticator(keys, clock, 0.9).identify(f"Bearer {secret}")
    assert (await Authenticator(keys, clock, 0.9).identify(f"Bearer {at_once.secret}")).key_id == created.id


async def test_a_keys_own_expiry_ends_the_overlap_too(keys: KeyRepository, clock: ManualClock) -> None:
    created = await keys.create_key(_wanted(expires_at=clock.now() + timedelta(minutes=1)), ADMIN)
    rotated = await keys.rotate_key(created.id, timedelta(hours=1), ADMIN)
    clock.advance(60)
    for secret in (created.secret, rotated.secret):
        with pytest.raises(KeyExpired):
            await Authenticator(keys, clock, 0.9).identify(f"Bearer {secret}")


async def test_a_change_sets_what_was_sent_and_leaves_the_rest(keys: KeyRepository, clock: ManualClock) -> None:
    limits = Limits(requests_per_minute=5, tokens_per_minute=100)
    budget = Budget(window="day", usd=Decimal(1))
    created = await keys.create_key(_wanted(limits=limits, models=["a"], budgets=[budget]), ADMIN)
    fewer = KeyPatch.model_validate({"limits": {"tokens_per_minute": None, "concurrency": 2}})
    await keys.update_key(created.id, fewer, ADMIN)
    changed = await keys.update_key(created.id, KeyPatch(models=None, name="new"), ADMIN)
    assert changed.limits == Limits(requests_per_minute=5, concurrency=2)
    assert (changed.models, changed.name, changed.scopes) == (None, "new", ["chat"])
    assert [budget.usd for budget in changed.budgets] == [Decimal(1)]
    changed = await keys.update_key(
        created.id, KeyPatch.model_validate({"limits": None, "budgets": None, "name": None}), ADMIN
    )
    assert (changed.limits, changed.budgets, changed.name) == (Limits(), [], "new")
    with pytest.raises(ExpiryPassed):
        await keys.update_key(created.id, KeyPatch(expires_at=clock.now()), ADMIN)
    await keys.revoke_key(created.id, ADMIN)
    with pytest.raises(KeyIsRevoked):
        await keys.update_key(created.id, KeyPatch(name="x"), ADMIN)
    with pytest.raises(KeyIsRevoked):
        await keys.rotate_key(created.id, timedelta(0), ADMIN)
    with pytest.raises(KeyNotFound):
        await keys.update_key("key_nope", KeyPatch(), ADMIN)


@pytest.mark.parametrize("change", [{"scopes": ["chat"]}, {"expires_at": datetime(2027, 1, 1, tzinfo=UTC)}])
async def test_the_last_admin_key_can_neither_lose_its_scope_nor_get_an_end(
    keys: KeyRepository, clock: ManualClock, change: dict[str, Any]
) -> None:
    first = await keys.create_key(_wanted(scopes=["admin"]), ADMIN)
    with pytest.raises(LastAdminKey):
        await keys.update_key(first.id, KeyPatch.model_validate(change), ADMIN)
    await keys.create_key(_wanted(scopes=["admin"]), ADMIN)
    await keys.update_key(first.id, KeyPatch.model_validate(change), ADMIN)


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


def test_a_window_has_one_budget() -> None:
    twice = [Budget(window="day", usd=Decimal(1)), Budget(window="day", usd=Decimal(2))]
    with pytest.raises(ValidationError, match="at most one budget"):
        _wanted(budgets=twice)
