from __future__ import annotations

from typing import Any

import httpx2
import pytest
from services.gateway.tests.installation import ACTOR, Installation

from servicekit.core.clock import ManualClock

HOURS = 3600.0


def _code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def _as(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def _sign_in(public: httpx2.AsyncClient, secret: str, **headers: str) -> dict[str, Any]:
    answer = await public.post("/v1/session", headers={**_as(secret), **headers})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_browser_that_signed_in_is_its_key_and_its_pages_may_change_things(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    secret = await installation.secret(tenant="operators", scopes=["admin"], name="mine")
    begun = await _sign_in(public, secret)
    shown = (await public.get("/v1/me")).json()
    assert shown == begun
    assert (shown["name"], shown["tenant"], shown["scopes"]) == ("mine", "operators", ["admin"])
    body = {"name": "k", "tenant": "acme", "scopes": ["chat"]}
    assert _code(await public.post("/v1/keys", json=body)) == (403, "csrf_token")
    wrong = await public.post("/v1/keys", json=body, headers={"X-CSRF-Token": "0" * 64})
    assert _code(wrong) == (403, "csrf_token")
    right = await public.post("/v1/keys", json=body, headers={"X-CSRF-Token": begun["session"]["csrf_token"]})
    assert right.status_code == 201


async def test_the_cookie_is_for_no_script_no_other_site_and_under_https_for_no_other_host(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    secret = await installation.secret()
    plain = await public.post("/v1/session", headers=_as(secret))
    value = plain.headers["set-cookie"]
    assert value.startswith("groundwork_test=gws_")
    assert value.endswith("; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200")
    assert plain.headers["cache-control"] == "no-store"
    secure = await public.post("/v1/session", headers={**_as(secret), "X-Forwarded-Proto": "https"})
    assert secure.headers["set-cookie"].startswith("__Host-groundwork_test=gws_")
    assert secure.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure")


@pytest.mark.parametrize(
    ("says", "status"), [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)]
)
async def test_a_page_of_another_origin_can_t_use_the_session_not_even_to_read(
    public: httpx2.AsyncClient, installation: Installation, says: str, status: int
) -> None:
    await _sign_in(public, await installation.secret())
    answer = await public.get("/v1/me", headers={"Sec-Fetch-Site": says})
    assert answer.status_code == status
    assert status == 200 or _code(answer) == (403, "foreign_origin")


async def test_a_key_in_the_header_counts_and_the_cookie_does_not(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    await _sign_in(public, await installation.secret(name="of the cookie"))
    other = await installation.secret(name="of the header")
    shown = (await public.get("/v1/me", headers=_as(other))).json()
    assert (shown["name"], shown["session"]) == ("of the header", None)
    assert _code(await public.get("/v1/me", headers={"Authorization": "Bearer gw_nothing"})) == (401, "unknown_key")


async def test_an_address_that_signs_in_again_and_again_is_told_to_wait(
    public: httpx2.AsyncClient, installation: Installation, clock: ManualClock
) -> None:
    wrong = _as("gw_" + "x" * 43)
    for _ in range(installation.settings.sign_ins_per_minute):
        assert _code(await public.post("/v1/session", headers=wrong)) == (401, "unknown_key")
    secret = await installation.secret()
    refused = await public.post("/v1/session", headers=_as(secret))
    assert _code(refused) == (429, "too_many_sign_ins")
    assert refused.headers["retry-after"] == "60"
    assert (await public.get("/v1/me", headers=_as(secret))).status_code == 200, "a key needs no sign-in"
    clock.advance(60)
    await _sign_in(public, secret)


async def test_a_session_has_an_end(public: httpx2.AsyncClient, installation: Installation, clock: ManualClock) -> None:
    await _sign_in(public, await installation.secret())
    clock.advance(12 * HOURS - 1)
    assert (await public.get("/v1/me")).status_code == 200
    clock.advance(1)
    assert _code(await public.get("/v1/me")) == (401, "session_ended")


async def test_who_signs_out_is_out_and_the_cookie_gone(public: httpx2.AsyncClient, installation: Installation) -> None:
    begun = await _sign_in(public, await installation.secret())
    cookie = dict(public.cookies)
    assert _code(await public.delete("/v1/session")) == (403, "csrf_token")
    gone = await public.delete("/v1/session", headers={"X-CSRF-Token": begun["session"]["csrf_token"]})
    assert (gone.status_code, "Max-Age=0" in gone.headers["set-cookie"]) == (204, True)
    public.cookies.update(cookie)
    assert _code(await public.get("/v1/me")) == (401, "session_ended")


async def test_a_session_ends_with_its_key(public: httpx2.AsyncClient, installation: Installation) -> None:
    secret = await installation.secret()
    key_id = (await _sign_in(public, secret))["key_id"]
    await installation.deps.keys.revoke_key(key_id, ACTOR)
    installation.deps.authenticator.invalidate(key_id)
    assert _code(await public.get("/v1/me")) == (401, "key_revoked")


async def test_a_session_may_no_more_than_its_key(public: httpx2.AsyncClient, installation: Installation) -> None:
    await _sign_in(public, await installation.secret(scopes=["chat"]))
    assert _code(await public.get("/v1/keys")) == (403, "missing_scope")


async def test_a_token_signs_in_once(public: httpx2.AsyncClient, installation: Installation) -> None:
    made = (await public.post("/v1/session/token", headers=_as(await installation.secret(name="mine")))).json()
    assert _code(await public.get("/v1/me", headers=_as(made["token"]))) == (401, "unknown_key"), "it is no key"
    assert (await _sign_in(public, made["token"]))["name"] == "mine"
    assert (await public.get("/v1/me")).json()["name"] == "mine"
    assert _code(await public.post("/v1/session", headers=_as(made["token"]))) == (401, "session_token_used")


async def test_a_token_is_good_for_a_minute(
    public: httpx2.AsyncClient, installation: Installation, clock: ManualClock
) -> None:
    made = (await public.post("/v1/session/token", headers=_as(await installation.secret()))).json()
    clock.advance(60)
    assert _code(await public.post("/v1/session", headers=_as(made["token"]))) == (401, "session_token_used")


async def test_a_token_of_a_revoked_key_signs_nobody_in(public: httpx2.AsyncClient, installation: Installation) -> None:
    secret = await installation.secret()
    made = (await public.post("/v1/session/token", headers=_as(secret))).json()
    key_id = (await public.get("/v1/me", headers=_as(secret))).json()["key_id"]
    await installation.deps.keys.revoke_key(key_id, ACTOR)
    installation.deps.authenticator.invalidate(key_id)
    assert _code(await public.post("/v1/session", headers=_as(made["token"]))) == (401, "key_revoked")


async def test_a_session_is_not_taken_outside_the_api(public: httpx2.AsyncClient, installation: Installation) -> None:
    begun = await _sign_in(public, await installation.secret())
    headers = {"X-CSRF-Token": begun["session"]["csrf_token"]}
    assert _code(await public.post("/mcp", json={}, headers=headers)) == (401, "missing_key")


async def test_signing_in_takes_a_key_and_signing_out_a_session(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    assert _code(await public.post("/v1/session")) == (401, "missing_key")
    secret = await installation.secret()
    assert _code(await public.delete("/v1/session", headers=_as(secret))) == (400, "no_session")
    begun = await _sign_in(public, secret)
    again = await public.post("/v1/session", headers={"X-CSRF-Token": begun["session"]["csrf_token"]})
    assert _code(again) == (401, "missing_key"), "a session begins none"
