from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from services.gateway.tests.auth.wanted import ADMIN, wanted

from gateway.auth.authentication import Authenticator
from gateway.auth.errors import KeyExpired, KeyMissing, KeyUnknown, SessionEnded
from gateway.auth.key_repository import KeyRepository
from gateway.auth.session_repository import SessionRepository
from gateway.auth.sessions import Sessions
from gateway.auth.sign_in_limit import SignInLimit
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


def _replica(database: Database, keys: KeyRepository, clock: ManualClock, installation: str = "here") -> Sessions:
    return Sessions(
        SessionRepository(database, clock),
        Authenticator(keys, clock, 0.9),
        clock,
        installation=installation,
        life=timedelta(hours=12),
        cache_seconds=0.9,
        limit=SignInLimit(60, clock),
    )


def _scope(cookie: str, method: str = "GET", **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    head = [(b"cookie", cookie.encode()), *named]
    return {"type": "http", "method": method, "path": "/v1/me", "scheme": "http", "headers": head}


async def test_another_replica_knows_a_session_and_that_it_has_ended(
    database: Database, keys: KeyRepository, clock: ManualClock
) -> None:
    here, there = _replica(database, keys, clock), _replica(database, keys, clock)
    created = await keys.create_key(wanted(), ADMIN)
    begun = await here.begin(f"Bearer {created.secret}")
    scope = _scope(f"x=1; groundwork_here={begun.secret}")
    assert there.concern(scope, None)
    assert (await there.identify(scope, None)).key_id == created.id
    await here.end(scope)
    with pytest.raises(SessionEnded):
        await here.identify(scope, None)
    clock.advance(0.95)
    with pytest.raises(SessionEnded):
        await there.identify(scope, None)


async def test_over_https_only_the_name_counts_that_no_other_host_can_set(
    database: Database, keys: KeyRepository, clock: ManualClock
) -> None:
    sessions = _replica(database, keys, clock)
    begun = await sessions.begin(f"Bearer {(await keys.create_key(wanted(), ADMIN)).secret}")
    planted, own = f"groundwork_here={begun.secret}", f"__Host-groundwork_here={begun.secret}"
    for said in ("https", "HTTPS, http"):
        assert not sessions.concern(_scope(planted, x_forwarded_proto=said), None)
        assert sessions.concern(_scope(own, x_forwarded_proto=said), None)
        assert sessions.cookie(_scope("", x_forwarded_proto=said), begun).startswith(own)
    assert sessions.concern(_scope(planted), None)
    assert not sessions.concern(_scope(own), None)


async def test_what_streams_to_a_session_ends_with_it(
    database: Database, keys: KeyRepository, clock: ManualClock
) -> None:
    here, there = _replica(database, keys, clock), _replica(database, keys, clock)
    begun = await here.begin(f"Bearer {(await keys.create_key(wanted(), ADMIN)).secret}")
    scope = _scope(f"groundwork_here={begun.secret}")
    await there.require_unended(scope)
    await here.end(scope)
    clock.advance(0.95)
    with pytest.raises(SessionEnded):
        await there.require_unended(scope)


async def test_a_session_makes_no_token_for_another_one(
    database: Database, keys: KeyRepository, clock: ManualClock
) -> None:
    with pytest.raises(KeyMissing):
        await _replica(database, keys, clock).create_token(None)


async def test_a_session_ends_when_the_secret_does_that_it_was_begun_with(
    database: Database, keys: KeyRepository, clock: ManualClock
) -> None:
    sessions = _replica(database, keys, clock)
    created = await keys.create_key(wanted(), ADMIN)
    scope = _scope(f"groundwork_here={(await sessions.begin(f'Bearer {created.secret}')).secret}")
    await keys.rotate_key(created.id, timedelta(seconds=10), ADMIN)
    clock.advance(5)
    assert (await sessions.identify(scope, None)).key_id == created.id
    clock.advance(6)
    with pytest.raises(KeyExpired):
        await sessions.identify(scope, None)
    await keys.rotate_key(created.id, timedelta(0), ADMIN)
    clock.advance(1)
    with pytest.raises(KeyUnknown):
        await sessions.identify(scope, None)


async def test_cookies_of_others_are_none_of_ours(database: Database, keys: KeyRepository, clock: ManualClock) -> None:
    sessions = _replica(database, keys, clock)
    for cookie in ("groundwork_there=gws_x", "groundwork_here=other", "groundwork_here", ""):
        assert not sessions.concern(_scope(cookie), None)
    assert not sessions.concern({**_scope("groundwork_here=gws_x"), "path": "/mcp"}, None)
    assert sessions.concern(_scope("groundwork_here=gws_x"), None)
    with pytest.raises(SessionEnded, match="Sign in again"):
        await sessions.identify(_scope("groundwork_here=gws_x"), None)
