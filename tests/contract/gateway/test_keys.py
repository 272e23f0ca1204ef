"""Keys, tenants, usage, limits and the model plane over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest
from sqlalchemy import update
from tests.support.gateway.running import RunningGateway, running_gateway

from contracts.access.delegation import Scope
from contracts.operations.table import OPERATIONS
from gateway.auth.keys import Principal
from gateway.auth.tokens import ANSWERS, MODELS
from gateway.limits.memory_limiter import MemoryLimiter
from gateway.storage.tables import keys
from servicekit.auth.delegation import DelegationVerifier
from servicekit.core.clock import SystemClock

CHAT = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock())) as running:
        yield running


async def _error(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    body: dict[str, Any] = (await answer.json())["error"]
    return body


async def test_a_key_shows_its_secret_once(gateway: RunningGateway) -> None:
    created = await gateway.new_key(limits={"requests_per_minute": 9})
    shown = await (await gateway.call("GET", f"/v1/keys/{created['id']}")).json()
    listed = await (await gateway.call("GET", "/v1/keys?limit=1")).json()
    assert created["secret"].startswith(shown["prefix"])
    assert "secret" not in shown
    assert shown["limits"]["requests_per_minute"] == 9
    assert created["secret"] not in str(listed)
    assert listed["next_cursor"]


async def test_a_revoked_key_stops_working_at_once_and_says_so(gateway: RunningGateway) -> None:
    created = await gateway.new_key()
    assert (await gateway.call("POST", "/v1/chat/completions", created["secret"], json=CHAT)).status == 200
    assert (await gateway.call("DELETE", f"/v1/keys/{created['id']}")).status == 204
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json=CHAT)
    assert (answer.status, (await _error(answer))["code"]) == (401, "key_revoked")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["nonsense", "gw_" + "x" * 43])
async def test_a_wrong_key_is_401_with_words_that_help(gateway: RunningGateway, key: str) -> None:
    answer = await gateway.call("GET", "/v1/models", key)
    error = await _error(answer)
    assert (answer.status, error["type"], error["code"]) == (401, "authentication", "unknown_key")
    assert "ask an admin" in error["message"]


async def test_an_expired_key_is_401(gateway: RunningGateway) -> None:
    created = await gateway.new_key(expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert (await gateway.call("GET", "/v1/models", created["secret"])).status == 200
    async with gateway.deps.database.write() as connection:  # an hour later
        await connection.execute(update(keys).values(expires_at=datetime.now(UTC)).where(keys.c.id == created["id"]))
    async with asyncio.timeout(60):
        while (answer := await gateway.call("GET", "/v1/models", created["secret"])).status == 200:
            pass
    assert (answer.status, (await _error(answer))["code"]) == (401, "key_expired")


async def test_a_key_that_would_never_work_is_not_made(gateway: RunningGateway) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    body = {"name": "k", "tenant": "default", "scopes": ["chat"], "expires_at": past}
    answer = await gateway.call("POST", "/v1/keys", json=body)
    assert (answer.status, (await _error(answer))["code"]) == (400, "expiry_passed")


async def test_the_admin_cannot_lock_everybody_out(gateway: RunningGateway) -> None:
    answer = await gateway.call("DELETE", "/v1/keys/key_admin")
    assert (answer.status, (await _error(answer))["code"]) == (409, "last_admin_key")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "k", "tenant": "Bad Name", "scopes": ["chat"]}, "tenant"),
        ({"name": "k", "tenant": "t", "scopes": ["fly"]}, "scopes.0"),
        ({"name": "k", "tenant": "t", "scopes": ["chat"], "limit": {}}, "limit"),
        ({"name": "k", "tenant": "t", "scopes": ["chat"], "expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
        ({"name": "k", "tenant": "t", "scopes": ["chat"], "expires_at": "9999-12-31T23:59:59.999999Z"}, "expires_at"),
        ({"name": "k", "tenant": "t", "scopes": ["chat"], "expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
    ],
)
async def test_a_bad_key_request_names_the_field(gateway: RunningGateway, body: dict[str, Any], param: str) -> None:
    answer = await gateway.call("POST", "/v1/keys", json=body)
    assert (answer.status, (await _error(answer))["param"]) == (422, param)


async def test_limits_are_told_on_every_model_call_and_hold(gateway: RunningGateway) -> None:
    created = await gateway.new_key(limits={"requests_per_minute": 2})
    left = []
    for model in ("echo", "nope"):
        answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json={**CHAT, "model": model})
        assert answer.headers["X-RateLimit-Limit-Requests"] == "2"
        left.append(answer.headers["X-RateLimit-Remaining-Requests"])
    assert left == ["1", "0"]  # a call that fails counts, and tells as well
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json=CHAT)
    assert (answer.status, (await _error(answer))["type"]) == (429, "rate_limited")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["X-RateLimit-Remaining-Requests"] == "0"
    assert (await gateway.call("GET", "/v1/models", created["secret"])).status == 200  # reading is not limited
    metrics = await (await gateway.session.get(f"{gateway.metrics_url}/metrics")).text()
    assert 'groundwork_gateway_limit_rejections_total{limit="key_requests"}' in metrics


async def test_a_key_is_changed_and_rotated_over_http_and_the_log_names_who_did_it(gateway: RunningGateway) -> None:
    created = await gateway.new_key()
    path = f"/v1/keys/{created['id']}"
    changed = await gateway.call("PATCH", path, json={"limits": {"requests_per_minute": 1}, "scopes": ["search"]})
    assert (changed.status, (await changed.json())["limits"]["requests_per_minute"]) == (200, 1)
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json=CHAT)
    assert (answer.status, (await _error(answer))["code"]) == (403, "missing_scope")  # at once, on this replica
    rotated = await (await gateway.call("POST", f"{path}/rotate")).json()
    for secret in (created["secret"], rotated["secret"]):
        assert (await gateway.call("GET", "/v1/usage", secret)).status == 200
    assert (await gateway.call("POST", f"{path}/rotate", json={"overlap_seconds": 0})).status == 200
    assert (await gateway.call("GET", "/v1/usage", rotated["secret"])).status == 401
    log = await (await gateway.call("GET", f"/v1/audit?subject={created['id']}")).json()
    acts = ["key.rotate", "key.rotate", "key.change", "key.create"]
    assert [(entry["action"], entry["actor_key_id"]) for entry in log["data"]] == [(act, "key_admin") for act in acts]
    assert all(entry["request_id"] for entry in log["data"])
    for secret in (created["secret"], rotated["secret"]):
        assert secret not in str(log)
    assert (await gateway.call("GET", "/v1/audit", (await gateway.new_key())["secret"])).status == 403


async def test_tokens_places_and_budgets_hold_over_http_and_say_what_to_do(gateway: RunningGateway) -> None:
    chat = {**CHAT, "max_tokens": 100}
    created = await gateway.new_key(limits={"tokens_per_minute": 250}, budgets=[{"window": "day", "usd": "0.0005"}])
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json={**chat, "max_tokens": 900})
    assert (answer.status, (await _error(answer))["code"]) == (400, "call_too_large")
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json=chat)
    assert answer.headers["X-RateLimit-Limit-Tokens"] == "250"
    assert 0 < int(answer.headers["X-RateLimit-Remaining-Tokens"]) < 150
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json=chat)  # 110 were used
    assert answer.status == 200
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json=chat)
    assert (answer.status, (await _error(answer))["code"]) == (429, "key_tokens_per_minute")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    await gateway.call("PATCH", f"/v1/keys/{created['id']}", json={"limits": {"tokens_per_minute": None}})
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json={**chat, "max_tokens": 400})
    error = await _error(answer)
    assert (answer.status, error["type"], error["code"]) == (429, "budget_exceeded", "key_day_budget")
    assert "0.0005 USD a day" in error["message"]
    assert "resets at" in error["message"]
    assert 0 < int(answer.headers["Retry-After"]) <= 86_400
    await gateway.call("PATCH", f"/v1/keys/{created['id']}", json={"budgets": None, "limits": {"concurrency": 1}})
    slow = asyncio.create_task(
        gateway.call("POST", "/v1/chat/completions", created["secret"], json={**chat, "model": "slow", "stream": True})
    )
    await gateway.seen.begun.wait()
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json=chat)
    assert (answer.status, (await _error(answer))["code"]) == (429, "key_concurrency")
    gateway.seen.release.set()
    assert (await slow).status == 200
    for _ in range(5):  # one after the other: each finds the place of the one before free
        assert (await gateway.call("POST", "/v1/chat/completions", created["secret"], json=chat)).status == 200


async def test_a_model_without_a_price_is_refused_to_who_has_a_budget(gateway: RunningGateway) -> None:
    created = await gateway.new_key(budgets=[{"window": "month", "usd": "1"}])
    answer = await gateway.call("POST", "/v1/chat/completions", created["secret"], json={**CHAT, "model": "free"})
    assert (answer.status, (await _error(answer))["code"]) == (400, "price_unknown")


async def test_a_tenants_limit_holds_for_all_of_its_keys_together(gateway: RunningGateway) -> None:
    await gateway.call("POST", "/v1/tenants", json={"name": "acme", "limits": {"requests_per_minute": 1}})
    first, second = await gateway.new_key(tenant="acme"), await gateway.new_key(tenant="acme")
    assert (await gateway.call("POST", "/v1/chat/completions", first["secret"], json=CHAT)).status == 200
    answer = await gateway.call("POST", "/v1/chat/completions", second["secret"], json=CHAT)
    assert (await _error(answer))["code"] == "tenant_requests_per_minute"


async def test_a_key_sees_its_own_tenants_usage_and_the_admin_everybodys(gateway: RunningGateway) -> None:
    mine, theirs = await gateway.new_key(tenant="mine"), await gateway.new_key(tenant="theirs")
    for key in (mine, theirs):
        await gateway.call("POST", "/v1/chat/completions", key["secret"], json=CHAT)
    await gateway.usage_rows(2)
    for asked in ("", "&tenant=theirs"):
        answer = await gateway.call("GET", f"/v1/usage?group_by=tenant{asked}", mine["secret"])
        assert [row["group"] for row in (await answer.json())["data"]] == ["mine"]
    answer = await gateway.call("GET", "/v1/usage?group_by=tenant")
    assert [row["group"] for row in (await answer.json())["data"]] == ["mine", "theirs"]
    answer = await gateway.call("GET", "/v1/usage?from=2026-02-01&to=2026-01-01")
    assert (answer.status, (await _error(answer))["code"]) == (400, "bad_period")


async def test_health_is_open_and_tells_nothing_secret(gateway: RunningGateway, tmp_path: Path) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await gateway.session.get(gateway.url + path)
        text = await answer.text()
        assert answer.status == 200, text
        assert str(tmp_path) not in text
        assert "http://" not in text
    assert set((await answer.json())["parts"]) == {
        "database",
        "records",
        "redis",
        "agent",
        "ingest",
        "retriever",
        "inference",
        "lab",
        "disk",
    }


async def test_metrics_and_the_model_plane_are_not_on_the_public_port(gateway: RunningGateway) -> None:
    for path in ("/metrics", "/v1/tokens"):
        answer = await gateway.call("POST" if path == "/v1/tokens" else "GET", path)
        assert answer.status == 404
        assert "/openapi.json" in (await _error(answer))["message"]


def _token(gateway: RunningGateway, key_id: str, audiences: Any = ANSWERS) -> str:
    principal = Principal(key_id, "default", frozenset({"chat"}))
    return gateway.deps.issuer.token(principal, audiences, "req_1", "call_1")


async def _on_plane(gateway: RunningGateway, path: str, token: str, body: Any) -> aiohttp.ClientResponse:
    async with gateway.session.post(
        gateway.plane_url + path, json=body, headers={"Authorization": f"Bearer {token}"}
    ) as answer:
        await answer.read()
        return answer


async def test_the_model_plane_takes_tokens_for_models_and_never_keys(gateway: RunningGateway) -> None:
    good = await _on_plane(gateway, "/v1/chat/completions", _token(gateway, "key_admin"), CHAT)
    assert good.status == 200
    assert gateway.seen.last("inference")["delegation"].audiences == ("inference",)
    for token in (gateway.admin_key, _token(gateway, "key_admin", MODELS), "x"):
        answer = await _on_plane(gateway, "/v1/chat/completions", token, CHAT)
        assert (answer.status, (await _error(answer))["code"]) == (401, "invalid_delegation")


async def test_a_call_inside_is_in_the_ledger_before_its_answer_ends(gateway: RunningGateway) -> None:
    for streamed in (False, True):
        await _on_plane(gateway, "/v1/chat/completions", _token(gateway, "key_admin"), {**CHAT, "stream": streamed})
    spent = await gateway.deps.inner_calls.spent("call_1", "key_admin")
    assert (spent.cost, spent.settled) == (2 * 120_000, True)


async def test_the_model_plane_refuses_a_key_that_was_revoked_meanwhile(gateway: RunningGateway) -> None:
    created = await gateway.new_key()
    token = _token(gateway, created["id"])
    assert (await _on_plane(gateway, "/v1/embeddings", token, {"input": "a"})).status == 200
    await gateway.call("DELETE", f"/v1/keys/{created['id']}")
    for path, body in (("/v1/embeddings", {"input": "a"}), ("/v1/chat/completions", CHAT)):
        answer = await _on_plane(gateway, path, token, body)
        assert (answer.status, (await _error(answer))["code"]) == (403, "key_revoked")


async def test_a_grant_buys_fresh_tokens_until_its_key_is_revoked(gateway: RunningGateway, tmp_path: Path) -> None:
    created = await gateway.new_key(tenant="acme", collections=["handbook"])
    principal = await gateway.deps.keys.get_by_id(created["id"])
    grant = gateway.deps.issuer.grant(principal, "req_7")
    answer = await _on_plane(gateway, "/v1/tokens", "", {"grant": grant})
    fresh = await answer.json()
    verifier = DelegationVerifier(tmp_path / "d.pub")
    for audience in ("models", "retriever", "inference"):
        claims = verifier.verify(fresh["token"], audience)
        assert (claims.tenant, claims.key_id, claims.collections) == ("acme", created["id"], ("handbook",))
    assert fresh["expires_in"] == 300
    refused = await _on_plane(gateway, "/v1/tokens", "", {"grant": fresh["token"]})
    assert refused.status == 401  # a token is not a grant
    await gateway.call("DELETE", f"/v1/keys/{created['id']}")
    refused = await _on_plane(gateway, "/v1/tokens", "", {"grant": grant})
    assert (refused.status, (await _error(refused))["code"]) == (403, "key_revoked")


async def test_what_a_job_embeds_is_charged_where_it_is_made_and_refused_once_a_budget_is_spent(
    gateway: RunningGateway,
) -> None:
    created = await gateway.new_key(
        tenant="acme", budgets=[{"window": "day", "usd": "0.00002"}], limits={"tokens_per_minute": 5}, models=["echo"]
    )
    secret, upload = created["secret"], {"data": b"x", "headers": {"Content-Type": "application/octet-stream"}}
    path = "/v1/collections/handbook/documents"
    assert (await gateway.call("POST", path, secret, **upload)).status == 202
    grant = gateway.deps.issuer.grant(await gateway.deps.keys.get_by_id(created["id"]), "req_7")
    token = (await (await _on_plane(gateway, "/v1/tokens", "", {"grant": grant})).json())["token"]
    batch = {"model": "mini", "input": ["a wombat in a burrow"], "priority": "bulk"}
    for _ in range(3):
        assert (await _on_plane(gateway, "/v1/embeddings", token, batch)).status == 200  # 5 tokens each, for 0.000005
    refused = await _on_plane(gateway, "/v1/embeddings", token, {**batch, "input": ["a wombat " * 5]})
    assert (refused.status, (await _error(refused))["type"]) == (429, "budget_exceeded")
    answer = await gateway.call("GET", "/v1/usage?group_by=tenant&tenant=acme")
    (row,) = (await answer.json())["data"]
    assert (row["requests"], row["embedding_tokens"], row["cost_usd"]) == (1, 15, "0.000015")


@pytest.mark.parametrize("path", ["documents", "documents:batch", "reindex"])
async def test_nothing_is_queued_to_be_embedded_and_no_grant_spends_once_a_budget_is_spent(
    gateway: RunningGateway, path: str
) -> None:
    created = await gateway.new_key(tenant="acme", budgets=[{"window": "day", "usd": "0"}])
    body = {"documents": [{"text": "a"}]} if path == "documents:batch" else {}
    refused = await gateway.call("POST", f"/v1/collections/handbook/{path}", created["secret"], json=body)
    assert (refused.status, (await _error(refused))["type"]) == (429, "budget_exceeded")
    assert "Retry-After" in refused.headers
    assert not any(call["peer"] == "ingest" for call in gateway.seen.calls)
    grant = gateway.deps.issuer.grant(await gateway.deps.keys.get_by_id(created["id"]), "req_7")
    assert (await _on_plane(gateway, "/v1/tokens", "", {"grant": grant})).status == 200  # to delete costs nothing
    asked = await _on_plane(gateway, "/v1/tokens", "", {"grant": grant, "spends": True})
    assert (asked.status, (await _error(asked))["type"]) == (429, "budget_exceeded")


async def test_a_search_inside_is_charged_to_its_call_and_refused_once_a_budget_is_spent(
    gateway: RunningGateway,
) -> None:
    created = await gateway.new_key(budgets=[{"window": "day", "usd": "0.000004"}])
    question = {"query": "burrow", "collections": ["handbook"]}
    token = _token(gateway, created["id"])
    assert (await _on_plane(gateway, "/v1/search", token, question)).status == 200
    (row,) = await gateway.usage_rows(1)
    assert (row["parent_id"], row["route"], row["embedding_tokens"]) == ("call_1", "search", 3)
    refused = await _on_plane(gateway, "/v1/search", token, question)
    assert (refused.status, (await _error(refused))["type"]) == (429, "budget_exceeded")


async def test_what_calls_under_one_id_have_used_is_told_to_their_grant_alone_also_once_it_is_revoked(
    gateway: RunningGateway,
) -> None:
    keys = [await gateway.new_key() for _ in range(2)]
    grants = [gateway.deps.issuer.grant(await gateway.deps.keys.get_by_id(key["id"]), "req_7") for key in keys]
    exchange = {"grant": grants[0], "purpose": "documents", "call_id": "run_1"}
    token = (await (await _on_plane(gateway, "/v1/tokens", "", exchange)).json())["token"]
    await _on_plane(gateway, "/v1/chat/completions", token, CHAT)
    await _on_plane(gateway, "/v1/embeddings", token, {"input": "a"})
    await gateway.call("DELETE", f"/v1/keys/{keys[0]['id']}")
    told = [
        await (await _on_plane(gateway, "/v1/spent", "", {"grant": grant, "call_id": "run_1"})).json()
        for grant in grants
    ]
    assert told[0] == {
        "prompt_tokens": 100, "completion_tokens": 10, "embedding_tokens": 5, "model_calls": 1,
        "cost_nano_usd": 125_000, "records": False,
    }  # fmt: skip
    assert set(told[1].values()) == {0}


async def test_tokens_and_cost_are_counted_by_tenant_and_tenants_beyond_a_number_together(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock()), metrics_tenants=2) as gateway:
        tenants = ("m-one", "m-two", "m-three", "m-four", "m-one")
        for tenant in tenants:
            secret = (await gateway.new_key(tenant=tenant))["secret"]
            assert (await gateway.call("POST", "/v1/chat/completions", secret, json=CHAT)).status == 200
        await gateway.usage_rows(len(tenants))
        text = await (await gateway.session.get(f"{gateway.metrics_url}/metrics")).text()
    assert 'groundwork_gateway_tokens_total{kind="prompt",model="echo",tenant="m-one"} 200.0' in text
    assert 'groundwork_gateway_cost_usd_total{model="echo",tenant="m-two"} 0.00012' in text
    assert 'tenant="other"' in text
    assert "m-three" not in text


async def test_callers_cannot_add_labels_to_the_metrics(gateway: RunningGateway) -> None:
    names = [f"model-{number}" for number in range(50)]
    await asyncio.gather(
        *(gateway.call("POST", "/v1/chat/completions", json={**CHAT, "model": name}) for name in names)
    )
    metrics = await (await gateway.session.get(f"{gateway.metrics_url}/metrics")).text()
    assert "model-1" not in metrics


async def test_every_operation_refuses_a_key_without_its_scope_and_one_without_a_key(gateway: RunningGateway) -> None:
    keys: dict[tuple[Scope, ...], str] = {}
    for operation in OPERATIONS:
        path = operation.path_of(*("x" for _ in operation.parameters))
        if not operation.is_open:
            async with gateway.session.request(operation.method, gateway.url + path) as answer:
                assert answer.status == 401, operation.id
        if not operation.scopes:
            continue
        if operation.scopes not in keys:
            others = [scope for scope in get_args(Scope) if scope not in (*operation.scopes, "admin")]
            keys[operation.scopes] = (await gateway.new_key(scopes=others))["secret"]
        refused = await gateway.call(operation.method, path, keys[operation.scopes])
        assert (refused.status, (await _error(refused))["code"]) == (403, "missing_scope"), operation.id
