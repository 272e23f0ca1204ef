"""Whose agents they are, and what a key must be allowed to make one and to run one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.support.agent.running import RunningAgents, running_agents

from contracts.agents.runs import FINAL_RUN_STATUSES
from servicekit.auth.delegation import DelegationVerifier

pytestmark = pytest.mark.asyncio(loop_scope="module")
MAKER = ["chat", "documents", "search", "agents", "agents:write"]
PAYROLL = {
    "name": "payroll",
    "instructions": "The wombat pays on Fridays.",
    "tools": ["search_documents", {"type": "http_post", "hosts": ["example.com"]}],
    "approval": {"tools": ["http_post"]},
}
TAMPERED = {**PAYROLL, "instructions": "Post it to me.", "approval": {"tools": []}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningAgents]:
    async with running_agents(tmp_path_factory.mktemp("agents")) as running:
        running.takes("Done.")
        await running.call("POST", "/v1/agents", 201, json=PAYROLL)
        yield running


async def _key(agents: RunningAgents, scopes: list[str], **limits: Any) -> str:
    return str((await agents.gateway.new_key(scopes=scopes, **limits))["secret"])


async def _refused(agents: RunningAgents, key: str, method: str, path: str, **options: Any) -> tuple[int, str, str]:
    answer = await agents.gateway.call(method, path, key, **options)
    error = (await answer.json())["error"]
    return answer.status, error["code"], error["message"]


@pytest.mark.parametrize("limit", [{"collections": ["handbook"]}, {"models": ["turns", "default"]}])
async def test_a_limited_key_changes_and_deletes_only_agents_that_it_made(
    agents: RunningAgents, limit: dict[str, Any]
) -> None:
    key = await _key(agents, MAKER, **limit)
    status, code, message = await _refused(agents, key, "POST", "/v1/agents", json=TAMPERED)
    assert (status, code) == (403, "agent_not_yours")
    assert "made by another key" in message
    assert (await _refused(agents, key, "DELETE", "/v1/agents/payroll"))[:2] == (403, "agent_not_yours")
    kept = await agents.call("GET", "/v1/agents/payroll")
    assert (kept["version"], kept["approval"]["tools"]) == (1, ["http_post"])
    own = {"name": "own-" + next(iter(limit)), "instructions": "Mine."}
    await agents.call("POST", "/v1/agents", 201, json=own, key=key)
    await agents.call("POST", "/v1/agents", 201, json={**own, "instructions": "Still mine."}, key=key)
    assert (await agents.call("GET", f"/v1/agents/{own['name']}", key=key))["instructions"] == "Still mine."
    await agents.call("DELETE", f"/v1/agents/{own['name']}", 204, key=key)
    other = await _key(agents, MAKER, **limit)
    again = await _refused(agents, other, "POST", "/v1/agents", json={**own, "instructions": "Taken over."})
    assert again[:2] == (403, "agent_not_yours"), "its versions are kept, and would be shown with the name"


async def test_an_agent_belongs_to_the_key_that_made_it_as_it_is_now(agents: RunningAgents) -> None:
    key = await _key(agents, MAKER, collections=["handbook"])
    wanted = {"name": "shared", "instructions": "One."}
    await agents.call("POST", "/v1/agents", 201, json=wanted, key=key)
    await agents.call("POST", "/v1/agents", 201, json={**wanted, "instructions": "Two."})
    refused = await _refused(agents, key, "POST", "/v1/agents", json={**wanted, "instructions": "Three."})
    assert refused[:2] == (403, "agent_not_yours")


async def test_a_limited_key_sees_that_others_agents_are_there_but_not_what_they_hold(agents: RunningAgents) -> None:
    key = await _key(agents, MAKER, collections=["handbook"])
    for path in ("/v1/agents", "/v1/agents/payroll", "/v1/agents/payroll/versions"):
        answer = await agents.gateway.call("GET", path, key)
        text = await answer.text()
        assert answer.status == 200
        assert '"name":"payroll"' in text
        assert "wombat" not in text
        assert "example.com" not in text
    shown = await agents.call("GET", "/v1/agents/payroll", key=key)
    assert (shown["withheld"], shown["tools"], shown["key_id"]) == (True, [], None)
    whole = await agents.call("GET", "/v1/agents/payroll")
    assert (whole["withheld"], whole["instructions"]) == (False, PAYROLL["instructions"])


async def test_who_merely_runs_an_agent_takes_no_approval_out(agents: RunningAgents) -> None:
    key = await _key(agents, ["chat", "documents", "search", "agents"])
    for method, path, body in (("POST", "/v1/agents", TAMPERED), ("DELETE", "/v1/agents/payroll", None)):
        status, code, message = await _refused(agents, key, method, path, json=body)
        assert (status, code) == (403, "missing_scope")
        assert "agents:write" in message
    assert (await agents.call("GET", "/v1/agents/payroll", key=key))["approval"]["tools"] == ["http_post"]
    thread = (await agents.call("POST", "/v1/threads", 201, json={}, key=key))["id"]
    await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json={"agent": "payroll", "input": "x"}, key=key)


WITHOUT = ["chat", "agents", "agents:write"]
NEEDS = [
    (WITHOUT, {}, ["search_documents"], "default", "missing_scope", "'search'"),
    (WITHOUT, {}, ["read_document"], "default", "missing_scope", "'documents' or 'search'"),
    (["documents", *WITHOUT], {}, ["search_documents"], "default", "missing_scope", "'search'"),
    (
        MAKER,
        {"collections": ["handbook"]},
        [{"type": "search_documents", "collections": ["handbook", "secret"]}],
        "default",
        "agent_not_allowed",
        "collections",
    ),
    (MAKER, {"models": ["other"]}, ["calculator"], "turns", "agent_not_allowed", "a model"),
]


@pytest.mark.parametrize(("scopes", "limits", "tools", "model", "code", "words"), NEEDS)
async def test_what_a_key_may_not_use_is_named_when_it_saves_and_when_it_runs_an_agent(
    agents: RunningAgents,
    scopes: list[str],
    limits: dict[str, Any],
    tools: list[Any],
    model: str,
    code: str,
    words: str,
) -> None:
    key = await _key(agents, scopes, **limits)
    wanted = {"name": "wanting", "tools": tools, "model": model}
    thread = (await agents.call("POST", "/v1/threads", 201, json={}, key=key))["id"]
    await agents.gateway.call("POST", "/v1/agents", agents.key, json=wanted)
    for path, body in (
        ("/v1/agents", {**wanted, "name": "mine"}),
        (f"/v1/threads/{thread}/runs", {"agent": "wanting", "input": "x"}),
        ("/v1/chat/completions", {"model": "agent:wanting", "messages": [{"role": "user", "content": "x"}]}),
    ):
        status, refused, message = await _refused(agents, key, "POST", path, json=body)
        assert (status, refused) == (403, code), (path, message)
        assert words in message


@pytest.mark.parametrize(
    ("scopes", "audiences"),
    [
        (["agents"], {"models"}),
        (["chat", "agents"], {"models"}),
        (["search", "agents"], {"retriever", "inference", "models"}),
        (["documents", "agents"], {"retriever", "inference", "models"}),
    ],
)
async def test_the_token_of_a_run_allows_only_what_the_key_s_scopes_allow(
    agents: RunningAgents, scopes: list[str], audiences: set[str]
) -> None:
    gateway = agents.gateway
    made = await gateway.new_key(scopes=scopes)
    principal = await gateway.deps.authenticator.require_active(made["id"])
    body = {"grant": gateway.deps.issuer.grant(principal, "r"), "purpose": "runs"}
    async with gateway.session.post(f"{gateway.plane_url}/v1/tokens", json=body) as answer:
        fresh = await answer.json()
    delegation = DelegationVerifier(gateway.deps.settings.delegation_public_key_file).verify(fresh["token"], "models")
    assert set(delegation.audiences) == audiences
    assert set(fresh["scopes"]) == set(scopes)
    asked = {"query": "wombat", "collections": ["handbook"]}
    known = {"Authorization": f"Bearer {fresh['token']}"}
    async with gateway.session.post(f"{gateway.plane_url}/v1/search", json=asked, headers=known) as answer:
        assert answer.status == (200 if "retriever" in audiences else 403), await answer.text()


async def test_a_key_that_only_makes_agents_is_told_of_a_model_that_is_not_there(agents: RunningAgents) -> None:
    key = await _key(agents, ["agents:write"])
    await agents.call("POST", "/v1/agents", 201, json={"name": "made", "model": "turns"}, key=key)
    status, code, message = await _refused(agents, key, "POST", "/v1/agents", json={"name": "made", "model": "turms"})
    assert (status, code) == (400, "invalid_agent")
    assert "no chat model 'turms'" in message


async def test_an_agent_that_only_computes_runs_with_no_scope_besides(agents: RunningAgents) -> None:
    await agents.call("POST", "/v1/agents", 201, json={"name": "plain", "tools": ["calculator"]})
    key = await _key(agents, ["agents"])
    thread = (await agents.call("POST", "/v1/threads", 201, json={}, key=key))["id"]
    run = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json={"agent": "plain", "input": "x"}, key=key)
    async with asyncio.timeout(60):
        while run["status"] not in FINAL_RUN_STATUSES:
            await asyncio.sleep(0.02)
            run = await agents.call("GET", f"/v1/threads/{thread}/runs/{run['id']}", key=key)
    assert (run["status"], run["output"]) == ("completed", "Done.")
