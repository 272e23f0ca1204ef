from __future__ import annotations

from typing import Any

import httpx2
import pytest
from services.gateway.tests.installation import Installation

from gateway.limits.reservations import NO_USAGE
from servicekit.core.clock import ManualClock


def _code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def _made(admin: httpx2.AsyncClient, **wanted: Any) -> dict[str, Any]:
    body = {"name": "k", "tenant": "acme", "scopes": ["chat"], **wanted}
    answer = await admin.post("/v1/keys", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def _as(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


FOR_ALL = (
    ("GET", "/v1/keys"), ("GET", "/v1/keys/k"), ("DELETE", "/v1/keys/k"), ("POST", "/v1/keys/k/rotate"),
    ("GET", "/v1/audit"), ("GET", "/v1/tenants"), ("GET", "/v1/tenants/acme"), ("DELETE", "/v1/tenants/acme"),
    ("GET", "/v1/routes"), ("DELETE", "/v1/cache"), ("GET", "/v1/backup"),
)  # fmt: skip


async def test_what_concerns_all_tenants_is_for_administrators(
    public: httpx2.AsyncClient, installation: Installation
) -> None:
    key = _as(await installation.secret())
    for method, path in FOR_ALL:
        assert _code(await public.request(method, path, headers=key)) == (403, "missing_scope"), path


async def test_a_secret_is_shown_once(admin: httpx2.AsyncClient) -> None:
    made = await _made(admin)
    for path in ("/v1/keys", f"/v1/keys/{made['id']}", "/v1/audit"):
        assert made["secret"] not in (await admin.get(path)).text


async def test_a_key_that_is_revoked_or_narrowed_is_so_at_once_on_this_replica(admin: httpx2.AsyncClient) -> None:
    made = await _made(admin, scopes=["chat", "admin"])
    key = _as(made["secret"])
    assert (await admin.get("/v1/keys", headers=key)).status_code == 200
    await admin.patch(f"/v1/keys/{made['id']}", json={"scopes": ["chat"]})
    assert _code(await admin.get("/v1/keys", headers=key)) == (403, "missing_scope")
    assert (await admin.delete(f"/v1/keys/{made['id']}")).status_code == 204
    assert _code(await admin.get("/v1/keys", headers=key)) == (401, "key_revoked")


@pytest.mark.parametrize(
    ("body", "status"), [(None, 200), ({"overlap_seconds": 60}, 200), ({"overlap_seconds": 0}, 401)]
)
async def test_the_old_secret_is_good_beside_the_new_one_for_as_long_as_was_asked(
    admin: httpx2.AsyncClient, body: dict[str, int] | None, status: int
) -> None:
    made = await _made(admin)
    rotated = (await admin.post(f"/v1/keys/{made['id']}/rotate", json=body)).json()
    assert (await admin.get("/v1/usage", headers=_as(rotated["secret"]))).status_code == 200
    assert (await admin.get("/v1/usage", headers=_as(made["secret"]))).status_code == status


async def test_a_tenants_limits_hold_at_once_for_keys_that_were_used_before(
    admin: httpx2.AsyncClient, installation: Installation
) -> None:
    key = await installation.principal(tenant="acme")
    authenticator = installation.deps.authenticator
    assert (await authenticator.require_active(key.key_id)).tenant_limits.requests_per_minute is None
    await admin.patch("/v1/tenants/acme", json={"limits": {"requests_per_minute": 5}})
    assert (await authenticator.require_active(key.key_id)).tenant_limits.requests_per_minute == 5


async def test_usage_of_others_is_shown_to_administrators_only(
    admin: httpx2.AsyncClient, installation: Installation, clock: ManualClock
) -> None:
    for tenant in ("acme", "other"):
        async with installation.deps.meter.call(await installation.principal(tenant=tenant), "chat", "r") as call:
            await call.reserve(NO_USAGE)
    await installation.rows()  # all is written
    clock.advance(1)
    mine = _as(await installation.secret(tenant="acme"))
    for asked in ({"group_by": "tenant"}, {"group_by": "tenant", "tenant": "other"}):
        shown = (await admin.get("/v1/usage", params=asked, headers=mine)).json()["data"]
        assert [row["group"] for row in shown] == ["acme"]
    shown = (await admin.get("/v1/usage", params={"group_by": "tenant"})).json()["data"]
    assert {row["group"] for row in shown} == {"acme", "other"}
    shown = (await admin.get("/v1/usage", params={"group_by": "tenant", "tenant": "other"})).json()["data"]
    assert [row["group"] for row in shown] == ["other"]


@pytest.mark.parametrize(
    ("rights", "seen"),
    [
        ({}, {"hb", "secret"}),
        ({"collections": ["hb"]}, {"hb"}),
        ({"models": ["default"]}, {"hb"}),
        ({"collections": ["hb"], "scopes": ["chat", "admin"]}, {"hb", "secret"}),
    ],
)
async def test_a_key_for_some_collections_or_models_is_shown_its_own_calls_only(
    admin: httpx2.AsyncClient, installation: Installation, clock: ManualClock, rights: dict[str, Any], seen: set[str]
) -> None:
    mine = await _made(admin, **rights)
    callers = {
        "hb": await installation.deps.authenticator.require_active(mine["id"]),
        "secret": await installation.principal(tenant="acme"),
    }
    for name, caller in callers.items():
        async with installation.deps.meter.call(caller, "chat", "r") as call:
            call.model = f"rag:{name}"
            await call.reserve(NO_USAGE)
    await installation.rows()  # all is written
    clock.advance(1)
    for group_by, prefix in (("collection", ""), ("model", "rag:")):
        shown = (await admin.get("/v1/usage", params={"group_by": group_by}, headers=_as(mine["secret"]))).json()
        assert {row["group"] for row in shown["data"]} == {f"{prefix}{name}" for name in seen}


async def test_what_an_administrator_does_is_noted_with_the_call_in_which_it_was_done(
    admin: httpx2.AsyncClient,
) -> None:
    made = await admin.post("/v1/tenants", json={"name": "fresh"}, headers={"X-Request-Id": "req_of_mine"})
    assert made.status_code == 201
    (entry,) = (await admin.get("/v1/audit", params={"subject": "fresh"})).json()["data"]
    assert (entry["action"], entry["request_id"]) == ("tenant.create", made.headers["x-request-id"])
    assert _code(await admin.delete("/v1/tenants/operators")) == (409, "tenant_in_use")
