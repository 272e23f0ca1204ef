from __future__ import annotations

from typing import Any

import httpx2
import pytest
from services.gateway.tests.installation import CHAT, EMBEDDER, OTHER, Installation

from contracts.core.errors import ErrorBody
from gateway.cache.store import StoreUnavailable
from servicekit.core.errors import PeerError


@pytest.fixture(autouse=True)
def _models(installation: Installation) -> None:
    installation.offer(CHAT, OTHER, EMBEDDER)


def _spec(**more: Any) -> dict[str, Any]:
    return {"targets": [{"model": "m"}], **more}


async def test_a_route_is_shown_as_it_was_put_with_the_models_that_stand_for_themselves(
    admin: httpx2.AsyncClient,
) -> None:
    put = await admin.put("/v1/routes/team/smart", json=_spec(on_error=["o"]))
    assert (put.status_code, put.json()["on_error"]) == (200, ["o"])
    listed = (await admin.get("/v1/routes")).json()["data"]
    assert [(route["name"], route["configured"]) for route in listed] == [
        ("team/smart", True), ("m", False), ("o", False),
    ]  # fmt: skip
    assert (listed[0]["updated_at"] is None, listed[1]["updated_at"] is None) == (False, True)
    assert (await admin.delete("/v1/routes/team/smart")).status_code == 204
    gone = await admin.delete("/v1/routes/team/smart")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "route_not_found")


async def test_the_default_is_no_route(admin: httpx2.AsyncClient) -> None:
    refused = await admin.put("/v1/routes/default", json=_spec())
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "route_name_reserved")


async def test_a_route_stands_on_chat_models_that_there_are_and_says_where_it_does_not(
    admin: httpx2.AsyncClient,
) -> None:
    for where in ("targets", "on_error", "on_context_overflow", "on_refusal"):
        for model in ("gone", "e"):
            named: Any = [{"model": "m"}, {"model": model}] if where == "targets" else ["o", model]
            refused = await admin.put("/v1/routes/smart", json=_spec(**{where: named}))
            error = refused.json()["error"]
            assert (refused.status_code, error["code"], error["param"]) == (400, "route_model_unknown", where)
    assert "smart" not in (await admin.get("/v1/routes")).text


@pytest.mark.parametrize(("query", "other_ends"), [("?tenant=acme", False), ("", True)])
async def test_cached_answers_end_for_one_tenant_or_for_all(
    admin: httpx2.AsyncClient, installation: Installation, query: str, other_ends: bool
) -> None:
    store = installation.deps.answer_cache._store
    before = [await store.get("x", tenant) for tenant in ("acme", "other")]
    assert (await admin.delete(f"/v1/cache{query}")).status_code == 204
    after = [await store.get("x", tenant) for tenant in ("acme", "other")]
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, other_ends]


async def test_while_the_cache_is_away_nothing_is_said_to_be_forgotten(
    admin: httpx2.AsyncClient, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(installation.deps.answer_cache._store, "raise_epoch", away)
    refused = await admin.delete("/v1/cache")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "cache_unreachable")


AGENT = {
    "name": "helper", "version": 2, "model": "default",
    "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-01T00:00:00Z",
}  # fmt: skip
SIZES = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}}
COLLECTION = {"name": "docs", "embedding_model": "e", **SIZES, "created_at": "2026-11-01T00:00:00Z"}
PROMPT = {
    "name": "greet", "version": 1, "newest": 1, "model": "default",
    "messages": [{"role": "system", "content": "Be brief."}],
    "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-01T00:00:00Z",
}  # fmt: skip
GONE = PeerError(404, ErrorBody(type="not_found", code="not_found", message="Gone."))


async def test_a_route_goes_back_to_an_earlier_version_in_one_call(admin: httpx2.AsyncClient) -> None:
    for model in ("m", "o"):
        await admin.put("/v1/routes/team/smart", json={"targets": [{"model": model}]})
    versions = (await admin.get("/v1/routes/team/smart/versions")).json()["data"]
    assert [(one["version"], one["active"]) for one in versions] == [(2, True), (1, False)]
    back = await admin.post("/v1/routes/team/smart/versions/1/activate")
    assert (back.status_code, back.json()["version"], back.json()["targets"][0]["model"]) == (200, 1, "m")
    for path, code in (("team/smart/versions/9", "route_version_not_found"), ("x/versions/1", "route_not_found")):
        missing = await admin.post(f"/v1/routes/{path}/activate")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, code)


async def test_a_route_splits_between_answers_that_some_tenant_has(
    admin: httpx2.AsyncClient, installation: Installation
) -> None:
    installation.retriever.answers("/v1/collections/docs", COLLECTION)
    installation.retriever.answers("/v1/collections/none", GONE)
    installation.agent.answers("/v1/agents/helper/versions", {"data": [AGENT]})
    installation.agent.answers("/v1/prompts/greet/versions/1", PROMPT)
    installation.agent.answers("/v1/prompts/greet/versions/2", GONE)
    names = ("rag:docs", "agent:helper@2", "prompt:greet@1")
    put = await admin.put("/v1/routes/smart", json={"targets": [{"model": name} for name in names]})
    assert put.status_code == 200, put.text
    assert put.json()["upstreams"] == []
    for name in (
        "rag:none",
        "rag:",
        "rag:No",
        "agent:helper@3",
        "agent:helper@x",
        "agent:",
        "prompt:",
        "prompt:greet@2",
    ):
        refused = await admin.put("/v1/routes/other", json=_spec(targets=[{"model": name}]))
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "route_target_unknown"), name


async def test_no_route_leads_to_itself_or_to_another(admin: httpx2.AsyncClient, installation: Installation) -> None:
    installation.retriever.answers("/v1/collections/docs", COLLECTION)
    installation.agent.answers("/v1/agents/helper", {**AGENT, "model": "smart"})
    installation.agent.answers("/v1/prompts/greet", {**PROMPT, "model": "smart"})
    assert (await admin.put("/v1/routes/plain", json=_spec())).status_code == 200
    worded = {"model": "rag:docs", "groundwork": {"model": "plain"}}
    assert (await admin.put("/v1/routes/answers", json=_spec(targets=[worded]))).status_code == 200
    circles: list[tuple[str, dict[str, Any]]] = [
        ("x", {"model": "plain"}),
        ("x", {"model": "x"}),
        ("smart", {"model": "agent:helper"}),
        ("smart", {"model": "prompt:greet"}),
        ("smart", {"model": "rag:docs", "groundwork": {"model": "smart"}}),
        ("x", {"model": "rag:docs", "groundwork": {"model": "answers"}}),
        ("plain", {"model": "rag:docs"}),
    ]
    for name, target in circles:
        refused = await admin.put(f"/v1/routes/{name}", json=_spec(targets=[target]))
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "route_cyclic"), (name, target)


async def test_a_shadow_has_a_key_that_pays_and_no_tools_that_act(
    admin: httpx2.AsyncClient, installation: Installation
) -> None:
    key = (await installation.principal()).key_id
    hosts, tools = {"hosts": ["a.test"]}, {"calculator": {}, "http_get": {}, "http_post": {}, "mcp": {"server": "s"}}
    versions = [
        {**AGENT, "version": number, "tools": [{"type": tool, **(hosts if tool.startswith("http") else more)}]}
        for number, (tool, more) in enumerate(tools.items(), 1)
    ]
    versions.append({**versions[0], "version": 9, "approval": {"tools": ["calculator"]}})
    installation.agent.answers("/v1/agents/helper/versions", {"data": versions})
    installation.agent.answers("/v1/agents/helper", AGENT)

    async def put(model: str, key_id: str = key, **more: Any) -> tuple[int, str]:
        shadow = {"model": model, "share": 0.5, "key_id": key_id, **more}
        answer = await admin.put("/v1/routes/smart", json=_spec(shadow=shadow))
        return answer.status_code, answer.json().get("error", {}).get("code", "")

    assert [await put(f"agent:helper@{version}") for version in (1, 2)] == [(200, "")] * 2
    refused = [await put(name) for name in ("agent:helper@3", "agent:helper@4", "agent:helper@9", "agent:helper")]
    assert refused == [(400, "shadow_refused")] * 4
    assert await put("o", "key_none") == (400, "shadow_refused")
    assert await put("gone") == (400, "route_model_unknown")
    assert (await put("o", share=1.5))[0] == (await put("o", name="m"))[0] == 422
