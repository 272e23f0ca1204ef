from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from services.gateway.tests.auth.wanted import ADMIN, wanted
from sqlalchemy import select

from contracts.access.keys import KeyPatch
from gateway.auth.authentication import Authenticator
from gateway.auth.errors import (
    KeyExpired,
    KeyNotFound,
    KeyUnknown,
    LastAdminKey,
)
from gateway.auth.key_repository import KeyRepository
from gateway.auth.keys import hash_secret
from gateway.auth.tenant_repository import TenantRepository
from gateway.storage.tables import audit
from gateway.storage.tables import keys as keys_table
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


async def test_only_the_hash_of_a_secret_is_stored(keys: KeyRepository, database: Database) -> None:
    created = await keys.create_key(wanted(), ADMIN)
    async with database.read() as connection:
        row = (await connection.execute(select(keys_table))).mappings().one()
    assert row["secret_hash"] == hash_secret(created.secret)
    assert not any(created.secret in str(value) for value in row.values())
    assert created.secret.startswith(created.prefix)
    assert not hasattr(await keys.get_key(created.id), "secret")


async def test_creating_a_key_creates_its_tenant_and_is_audited_without_the_secret(
    keys: KeyRepository, tenants: TenantRepository, database: Database
) -> None:
    created = await keys.create_key(wanted(tenant="brand-new"), ADMIN)
    assert (await tenants.get_tenant("brand-new")).name == "brand-new"
    async with database.read() as connection:
        rows = (await connection.execute(select(audit).order_by(audit.c.id))).mappings().all()
    assert {row["action"] for row in rows} == {"tenant.create", "key.create"}
    assert all(row["actor_key_id"] == "key_admin" and row["request_id"] == "req_1" for row in rows)
    assert created.secret not in str([dict(row) for row in rows])


async def test_who_decides_that_there_is_no_answer_is_kept_with_a_key_and_taken_back_by_null(
    keys: KeyRepository,
) -> None:
    created = await keys.create_key(wanted(abstain="reader"), ADMIN)
    for abstain in ("reader", "never", None):
        changed = await keys.update_key(created.id, KeyPatch(abstain=abstain), ADMIN)
        assert changed.abstain == abstain
        assert (await keys.get_by_id(created.id)).abstain == abstain
    assert (await keys.update_key(created.id, KeyPatch(name="other"), ADMIN)).abstain is None


async def test_the_last_working_admin_key_cannot_be_revoked(keys: KeyRepository, clock: ManualClock) -> None:
    first = await keys.create_key(wanted(scopes=["admin"]), ADMIN)
    await keys.create_key(wanted(scopes=["admin"], expires_at=clock.now() + timedelta(seconds=1)), ADMIN)
    clock.advance(2)
    with pytest.raises(LastAdminKey):
        await keys.revoke_key(first.id, ADMIN)
    third = await keys.create_key(wanted(scopes=["admin"]), ADMIN)
    await keys.revoke_key(first.id, ADMIN)
    await keys.revoke_key(first.id, ADMIN)  # again changes nothing
    with pytest.raises(LastAdminKey):
        await keys.revoke_key(third.id, ADMIN)
    with pytest.raises(KeyNotFound):
        await keys.revoke_key("key_nope", ADMIN)


async def test_keys_are_listed_page_by_page_without_gap_or_repeat(keys: KeyRepository, clock: ManualClock) -> None:
    created = []
    for number in range(7):
        created.append((await keys.create_key(wanted(name=f"k{number}", tenant=f"t{number % 2}"), ADMIN)).id)
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


async def test_a_rotated_key_works_with_both_secrets_until_the_overlap_ends(
    keys: KeyRepository, clock: ManualClock
) -> None:
    created = await keys.create_key(wanted(), ADMIN)
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
    created = await keys.create_key(wanted(expires_at=clock.now() + timedelta(minutes=1)), ADMIN)
    rotated = await keys.rotate_key(created.id, timedelta(hours=1), ADMIN)
    clock.advance(60)
    for secret in (created.secret, rotated.secret):
        with pytest.raises(KeyExpired):
            await Authenticator(keys, clock, 0.9).identify(f"Bearer {secret}")


@pytest.mark.parametrize("change", [{"scopes": ["chat"]}, {"expires_at": datetime(2027, 1, 1, tzinfo=UTC)}])
async def test_the_last_admin_key_can_neither_lose_its_scope_nor_get_an_end(
    keys: KeyRepository, clock: ManualClock, change: dict[str, Any]
) -> None:
    first = await keys.create_key(wanted(scopes=["admin"]), ADMIN)
    with pytest.raises(LastAdminKey):
        await keys.update_key(first.id, KeyPatch.model_validate(change), ADMIN)
    await keys.create_key(wanted(scopes=["admin"]), ADMIN)
    await keys.update_key(first.id, KeyPatch.model_validate(change), ADMIN)


async def test_a_key_is_found_while_reports_are_read(keys: KeyRepository, database: Database) -> None:
    created = await keys.create_key(wanted(), ADMIN)
    may_end = threading.Event()
    reports = [asyncio.create_task(database.read(lambda _: may_end.wait(60))) for _ in range(30)]
    try:
        await asyncio.sleep(0)
        found = await asyncio.wait_for(keys.get_by_hash(hash_secret(created.secret)), 60)
    finally:
        may_end.set()
        await asyncio.gather(*reports)
    assert found.key_id == created.id
