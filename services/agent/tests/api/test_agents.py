from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.api.client import Api, error

from agent.testing.scripted_answers import PACKAGED
from contracts.access.acts import ACT_HEADER, Act

HELPER = {"name": "helper", "instructions": "Be brief."}


async def test_the_same_definition_makes_no_version_and_another_one_does(api: Api) -> None:
    answers = [
        await api.call("POST", "/v1/agents", {**HELPER, "instructions": text}) for text in ("One.", "One.", "Two.")
    ]
    assert [(answer.status_code, answer.json()["version"]) for answer in answers] == [(201, 1), (200, 1), (201, 2)]
    assert (await api.call("GET", "/v1/agents/helper")).json()["instructions"] == "Two."
    versions = (await api.call("GET", "/v1/agents/helper/versions")).json()["data"]
    assert [(one["version"], one["instructions"]) for one in versions] == [(2, "Two."), (1, "One.")]


async def test_a_repeated_call_with_its_key_gets_the_first_answer_whatever_came_between(api: Api) -> None:
    key = {"Idempotency-Key": "once"}
    first = await api.call("POST", "/v1/agents", HELPER, headers=key)
    await api.call("POST", "/v1/agents", {**HELPER, "instructions": "Be long."})
    again = await api.call("POST", "/v1/agents", HELPER, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (await api.call("GET", "/v1/agents/helper")).json()["version"] == 2
    other = await api.call("POST", "/v1/agents", {**HELPER, "name": "other"}, headers=key)
    assert error(other) == (409, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("definition", "claims", "refused", "param"),
    [
        ({"model": "gpt"}, {}, (400, "invalid_agent"), "model"),
        ({"model": "rag:handbook"}, {}, (400, "invalid_agent"), "model"),
        ({"approval": {"tools": ["pay"]}}, {}, (400, "invalid_agent"), "approval.tools"),
        ({"tools": ["search_documents"]}, {"scopes": ("agents:write",)}, (403, "missing_scope"), "tools"),
        (
            {"tools": [{"type": "search_documents", "collections": ["secret"]}]},
            {"collections": ("handbook",)},
            (403, "agent_not_allowed"),
            "agent",
        ),
        ({"model": "scripted"}, {"models": ()}, (403, "agent_not_allowed"), "agent"),
        ({"tool_choice": "required"}, {}, (400, "invalid_agent"), "tool_choice"),
        ({"tool_choice": "pay", "tools": ["calculator"]}, {}, (400, "invalid_agent"), "tool_choice"),
        ({"tool_choice": "a b", "tools": ["calculator"]}, {}, (422, "invalid_body"), "tool_choice"),
        ({"tools": ["magic"]}, {}, (422, "invalid_body"), None),
    ],
)
async def test_an_agent_that_could_not_run_is_not_saved(
    api: Api, definition: dict[str, Any], claims: dict[str, Any], refused: tuple[int, str], param: str | None
) -> None:
    answer = await api.call("POST", "/v1/agents", {**HELPER, **definition}, **claims)
    assert error(answer) == refused
    assert param is None or answer.json()["error"]["param"] == param
    assert (await api.call("GET", "/v1/agents")).json() == {"data": [], "next_cursor": None}


async def test_agents_are_listed_by_name_in_pages(api: Api) -> None:
    for name in ("c", "a", "b"):
        await api.call("POST", "/v1/agents", {**HELPER, "name": name})
    first = (await api.call("GET", "/v1/agents?limit=2")).json()
    rest = (await api.call("GET", f"/v1/agents?limit=2&cursor={first['next_cursor']}")).json()
    assert [[one["name"] for one in page["data"]] for page in (first, rest)] == [["a", "b"], ["c"]]
    assert rest["next_cursor"] is None


async def test_a_limited_key_sees_of_others_agents_only_that_they_are_there(api: Api) -> None:
    await api.call("POST", "/v1/agents", HELPER)
    limited: dict[str, Any] = {"collections": ("handbook",), "key_id": "key_2"}
    one = (await api.call("GET", "/v1/agents/helper", **limited)).json()
    listed = [(await api.call("GET", path, **limited)).json() for path in ("/v1/agents", "/v1/agents/helper/versions")]
    assert [one, *(page["data"][0] for page in listed)] == [one] * 3
    assert (one["withheld"], one["instructions"], one["key_id"]) == (True, "", None)
    assert error(await api.call("DELETE", "/v1/agents/helper", **limited)) == (403, "agent_not_yours")


async def test_a_deleted_agent_is_gone_and_another_tenant_s_was_never_there(api: Api) -> None:
    await api.call("POST", "/v1/agents", HELPER)
    for method in ("GET", "DELETE"):
        assert error(await api.call(method, "/v1/agents/helper", tenant="other")) == (404, "agent_not_found")
    gone = await api.call("DELETE", "/v1/agents/helper")
    assert (gone.status_code, gone.content) == (204, b"")
    for path in ("/v1/agents/helper", "/v1/agents/helper/versions"):
        assert error(await api.call("GET", path)) == (404, "agent_not_found")


async def test_a_version_is_made_the_current_one_again_and_back_in_one_call_each(api: Api) -> None:
    for text in ("One.", "Two."):
        await api.call("POST", "/v1/agents", {**HELPER, "instructions": text})
    answer = await api.call("POST", "/v1/agents/helper/versions/1/activate")
    act = Act.model_validate_json(answer.headers[ACT_HEADER])
    assert (act.action, act.subject, act.detail) == ("agent.activate", "helper", {"from": 2, "to": 1})
    back = answer.json()
    assert (back["version"], back["current"], back["previous"], back["instructions"]) == (1, 1, 2, "One.")
    thread = await api.thread()
    assert (await api.run(thread))["agent_version"] == 1
    assert (await api.call("POST", "/v1/agents/helper/versions/2/activate")).json()["current"] == 2
    third = (await api.call("POST", "/v1/agents", {**HELPER, "instructions": "Three."})).json()
    assert third["version"] == 3, "no number is given twice"
    gone = await api.call("POST", "/v1/agents/helper/versions/9/activate")
    assert error(gone) == (404, "agent_version_not_found")
    reader = await api.call("POST", "/v1/agents/helper/versions/1/activate", scopes=("agents",))
    assert error(reader) == (403, "missing_scope")
    limited: dict[str, Any] = {"collections": ("handbook",), "key_id": "key_2"}
    foreign = await api.call("POST", "/v1/agents/helper/versions/1/activate", **limited)
    assert error(foreign) == (403, "agent_not_yours")


async def test_whoever_saves_what_changes_the_current_version_is_told_to_the_gateway(api: Api) -> None:
    async def told(text: str) -> Any:
        answer = await api.call("POST", "/v1/agents", {**HELPER, "instructions": text})
        said = answer.headers.get(ACT_HEADER)
        return said and Act.model_validate_json(said).detail

    changes = [await told(text) for text in ("One.", "One.", "Two.", "One.", "One.")]
    assert changes == [None, None, {"from": 1, "to": 2}, {"from": 2, "to": 1}, None]
    await api.call("DELETE", "/v1/agents/helper")
    assert await told("One.") is None, "one that was deleted is another"


async def test_a_completion_names_a_version_of_an_agent(api: Api) -> None:
    for text in ("One.", "Two."):
        await api.call("POST", "/v1/agents", {**HELPER, "instructions": text})
    body = {"messages": [{"role": "user", "content": "Go."}]}
    for model in ("agent:helper@x", "agent:helper@", "agent:helper@0"):
        wrong = await api.call("POST", "/v1/chat/completions", {**body, "model": model})
        assert error(wrong) == (404, "model_not_found")
    missing = await api.call("POST", "/v1/chat/completions", {**body, "model": "agent:helper@9"})
    assert error(missing) == (404, "agent_version_not_found")
    reader = await api.call(
        "POST", "/v1/chat/completions", {**body, "model": "agent:helper@1"}, scopes=("chat", "agents")
    )
    assert error(reader) == (403, "agent_version_replaced")


async def test_an_agent_that_its_model_is_too_small_for_is_not_saved_unless_it_says_so(api: Api) -> None:
    api.bench.model.info = PACKAGED
    tools = {"tools": ["calculator"]}
    answer = await api.call("POST", "/v1/agents", {**HELPER, **tools})
    assert error(answer) == (400, "model_too_weak")
    assert "groundwork model add" in answer.json()["error"]["message"]
    kept = await api.call("POST", "/v1/agents", {**HELPER, **tools, "allow_weak_model": True})
    assert kept.status_code == 201
