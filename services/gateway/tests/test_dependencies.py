from __future__ import annotations

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.installation import Installation
from starlette.requests import Request

from gateway.auth.errors import KeyAmbiguous, KeyMissing, ScopeMissing
from gateway.auth.keys import Principal
from gateway.dependencies import admin_of, principal_of
from gateway.limits.errors import CallTooLarge, TooManyRequests
from gateway.limits.reservations import MaxUsage
from gateway.usage.meter import MeteredCall
from servicekit.core.errors import InvalidRequest

ONE_A_MINUTE = {"requests_per_minute": 1}


def _bearer(secret: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {secret}".encode()


async def test_a_call_with_two_keys_is_nobodys(installation: Installation) -> None:
    secrets = [await installation.secret() for _ in range(2)]
    assert (await installation.deps.identify({"headers": [_bearer(secrets[0])]})).tenant == "acme"
    with pytest.raises(KeyAmbiguous):
        await installation.deps.identify({"headers": [_bearer(secret) for secret in secrets]})
    with pytest.raises(KeyMissing):
        await installation.deps.identify({"headers": []})


async def test_a_call_that_fails_before_its_limits_were_asked_is_a_request_all_the_same(
    installation: Installation,
) -> None:
    key = await installation.principal(limits=ONE_A_MINUTE)
    caller = Caller()
    with pytest.raises(InvalidRequest):
        async with installation.deps.metered(caller.exchange, key, "chat"):
            raise InvalidRequest("That is no body.")
    assert caller.exchange.headers["X-RateLimit-Remaining-Requests"] == "0"
    with pytest.raises(TooManyRequests):
        async with installation.deps.metered(Caller().exchange, key, "chat"):
            raise InvalidRequest("That is no body either.")
    assert [row["status"] for row in await installation.rows()] == [400]


async def test_a_call_that_could_never_pass_is_no_request(installation: Installation) -> None:
    key = await installation.principal(limits={**ONE_A_MINUTE, "tokens_per_minute": 10})
    for _ in range(3):
        exchange = Caller().exchange
        with pytest.raises(CallTooLarge):
            async with installation.deps.metered(exchange, key, "chat") as call:
                await installation.deps.reserve(exchange, call, MaxUsage(prompt_tokens=11))
    assert await installation.rows() == []


@pytest.mark.parametrize(
    ("length", "needs_body", "asked"), [("99999", True, True), ("99999", False, False), ("9", True, False)]
)
async def test_limits_are_asked_before_a_large_body_is_read(
    installation: Installation, length: str, needs_body: bool, asked: bool
) -> None:
    key = await installation.principal(limits=ONE_A_MINUTE)
    exchange = Caller(content_length=length).exchange
    async with installation.deps.metered(exchange, key, "chat", needs_body=needs_body) as call:
        assert call.is_reserved is asked
        assert bool(exchange.headers) is asked


async def test_who_is_let_in_has_passed_its_limits_and_is_told_how_they_stand(installation: Installation) -> None:
    key = await installation.principal(limits=ONE_A_MINUTE)
    exchange, seen = Caller().exchange, list[MeteredCall]()
    async with installation.deps.admitted(exchange, key, "chat") as call:
        seen.append(call)
    assert exchange.headers["X-RateLimit-Remaining-Requests"] == "0"
    with pytest.raises(TooManyRequests):
        async with installation.deps.admitted(exchange, key, "chat") as call:
            seen.append(call)
    assert len(seen) == 1


async def test_who_was_asked_for_before_a_call_was_routed_is_not_asked_for_again(installation: Installation) -> None:
    key = Principal("k1", "acme", frozenset({"chat"}))
    known = Request({"type": "http", "headers": [], "state": {"principal": key}})
    assert await principal_of(known, installation.deps) is key
    with pytest.raises(KeyMissing):
        await principal_of(Request({"type": "http", "headers": [], "state": {}}), installation.deps)


async def test_an_administrators_call_is_refused_to_any_other_key() -> None:
    admin = Principal("k1", "acme", frozenset({"admin"}))
    assert await admin_of(admin) is admin
    with pytest.raises(ScopeMissing, match="'admin'"):
        await admin_of(Principal("k2", "acme", frozenset({"chat", "agents:write"})))
