from __future__ import annotations

from datetime import timedelta

import pytest
from services.gateway.tests.auth.wanted import ADMIN, wanted

from gateway.auth.authentication import Authenticator
from gateway.auth.errors import (
    GrantRefused,
    KeyExpired,
    KeyMissing,
    KeyRevoked,
    KeyUnknown,
    ScopeMissing,
)
from gateway.auth.key_repository import KeyRepository
from gateway.auth.keys import new_secret
from servicekit.core.clock import ManualClock


async def test_an_unknown_a_missing_and_a_malformed_key_say_what_to_do(keys: KeyRepository, clock: ManualClock) -> None:
    authenticator = Authenticator(keys, clock, 0.9)
    for header in (None, "", "Basic abc", "Bearer "):
        with pytest.raises(KeyMissing, match="Authorization: Bearer"):
            await authenticator.identify(header)
    for header in ("Bearer nonsense", f"Bearer {new_secret()}"):
        with pytest.raises(KeyUnknown, match="ask an admin"):
            await authenticator.identify(header)


async def test_a_revocation_elsewhere_is_effective_within_a_second(keys: KeyRepository, clock: ManualClock) -> None:
    created = await keys.create_key(wanted(), ADMIN)
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
    created = await keys.create_key(wanted(), ADMIN)
    authenticator = Authenticator(keys, clock, 0.9)
    await authenticator.identify(f"Bearer {created.secret}")
    await keys.revoke_key(created.id, ADMIN)
    authenticator.invalidate(created.id)
    with pytest.raises(KeyRevoked):
        await authenticator.identify(f"Bearer {created.secret}")


async def test_a_key_expires_to_the_moment_even_while_remembered(keys: KeyRepository, clock: ManualClock) -> None:
    created = await keys.create_key(wanted(expires_at=clock.now() + timedelta(seconds=0.5)), ADMIN)
    authenticator = Authenticator(keys, clock, 0.9)
    await authenticator.identify(f"Bearer {created.secret}")
    clock.advance(0.5)
    with pytest.raises(KeyExpired):
        await authenticator.identify(f"Bearer {created.secret}")


async def test_a_key_without_the_scope_is_refused(keys: KeyRepository, clock: ManualClock) -> None:
    created = await keys.create_key(wanted(scopes=["search", "chat"]), ADMIN)
    principal = await Authenticator(keys, clock, 0.9).identify(f"Bearer {created.secret}")
    principal.require("chat")
    principal.require("documents", "search")
    with pytest.raises(ScopeMissing, match="'documents'"):
        principal.require("documents")
    assert not principal.is_admin
