"""An agent whose instructions are a prompt: read when a run begins, told in the run, and clear where it is gone."""

from __future__ import annotations

from typing import Any

import pytest
from services.agent.tests.api.client import Api, error
from services.agent.tests.runs_bench import PRINCIPAL, VIEWER

from agent.api import run_completions
from contracts.agents.agents import MAX_INSTRUCTIONS_CHARS
from contracts.agents.runs import RunReport
from contracts.models.chat import ChatRequest

RELEASE = ("agents", "agents:write", "prompts:release")
STYLE: dict[str, Any] = {
    "name": "style",
    "messages": [{"role": "system", "content": "Be {{how}} as v1."}, {"role": "user", "content": "unused"}],
    "variables": {"how": {}, "language": {"default": "English"}},
}
HELPER: dict[str, Any] = {"name": "helper", "instructions": {"prompt": "style", "variables": {"how": "brief"}}}


async def _saved(api: Api, **agent: Any) -> Any:
    second = {**STYLE, "messages": [{"role": "system", "content": "Be {{how}} as v2."}]}
    for prompt in (STYLE, second):
        await api.call("POST", "/v1/prompts", prompt)
    return await api.call("POST", "/v1/agents", {**HELPER, **agent})


async def _ended(api: Api, run: dict[str, Any]) -> dict[str, Any]:
    while await api.bench.work():
        pass
    path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}"
    return dict((await api.call("GET", path)).json())


def _instructions(api: Api) -> str:
    """What the model was told first when it was asked last."""
    return api.bench.model.requests[-1].messages[0].plain_text().split("\n")[0]


async def test_a_run_has_the_version_that_the_label_means_when_it_begins_and_says_which(api: Api) -> None:
    made = (await _saved(api)).json()
    assert made["instructions"] == {"prompt": "style", "variables": {"how": "brief"}}
    first = await api.run(await api.thread())
    await api.call("PUT", "/v1/prompts/style/labels/production", {"version": 2}, scopes=RELEASE)
    second = await api.run(await api.thread())
    assert [run["prompt"] for run in (first, second)] == ["style@1", "style@2"]
    await _ended(api, first)
    told = {request.messages[0].plain_text().split("\n")[0] for request in api.bench.model.requests}
    assert told == {"Be brief as v1.", "Be brief as v2."}, "one that was queued before the move keeps its version"


async def test_a_completion_says_the_version_in_its_report(api: Api) -> None:
    await _saved(api, instructions={"prompt": "style@2", "variables": {"how": "kind"}})
    asked = {"model": "agent:helper", "messages": [{"role": "user", "content": "Go."}]}
    agents, request = api.bench.agents, ChatRequest.model_validate(asked)
    run, agent = await run_completions.start(agents, VIEWER, PRINCIPAL, request)
    assert await api.bench.work()
    chunks = [chunk async for chunk in run_completions.chunks(agents, run, agent, request.model)]
    assert [chunk.groundwork.prompt for chunk in chunks if isinstance(chunk.groundwork, RunReport)] == ["style@2"]
    assert _instructions(api) == "Be kind as v2."


@pytest.mark.parametrize(
    ("instructions", "status", "says"),
    [
        ({"prompt": "nobody"}, 400, "There is no prompt 'nobody'"),
        ({"prompt": "style@9"}, 400, "Version 9"),
        ({"prompt": "style@nowhere"}, 400, "no label 'nowhere'"),
        ({"prompt": "style"}, 400, "'how' is missing"),
        ({"prompt": "style", "variables": {"how": 3}}, 400, "must be of the type string"),
        ({"prompt": "Style@@"}, 422, "name@label or name@3"),
        ({"prompt": "asked", "variables": {}}, 400, "no system message"),
    ],
)
async def test_an_agent_that_could_not_run_is_not_saved(
    api: Api, instructions: dict[str, Any], status: int, says: str
) -> None:
    asked = {"name": "asked", "messages": [{"role": "user", "content": "Hi"}]}
    await api.call("POST", "/v1/prompts", asked)
    answer = await _saved(api, instructions=instructions)
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]


async def test_where_the_prompt_is_gone_no_run_begins_and_the_error_says_what_to_do(api: Api) -> None:
    await _saved(api)
    await api.call("DELETE", "/v1/prompts/style", scopes=RELEASE)
    thread = await api.thread()
    refused = await api.call("POST", f"/v1/threads/{thread}/runs", {"agent": "helper", "input": "Go."})
    assert error(refused) == (409, "agent_prompt_unusable")
    assert "save the agent with other instructions" in refused.json()["error"]["message"]


async def test_a_run_whose_version_is_deleted_before_it_is_worked_on_fails_with_the_reason(api: Api) -> None:
    await _saved(api, instructions={"prompt": "style@2", "variables": {"how": "brief"}})
    run = await api.run(await api.thread())
    assert (await api.call("DELETE", "/v1/prompts/style/versions/2")).status_code == 204
    ended = await _ended(api, run)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "agent_prompt_unusable")


async def test_a_prompt_that_ships_instructs_an_agent_though_the_tenant_has_not_written_it(api: Api) -> None:
    variables = {"task": "Be brief.", "earlier": "", "question": ""}
    made = await _saved(api, instructions={"prompt": "groundwork-queries", "variables": variables})
    assert made.status_code == 201
    run = await _ended(api, await api.run(await api.thread()))
    assert (run["status"], run["prompt"]) == ("completed", "groundwork-queries@1")
    assert "Be brief." in _instructions(api)
    other = {"name": "groundwork-queries", "messages": [{"role": "system", "content": "Think. {{task}}"}]}
    await api.call("POST", "/v1/prompts", {**other, "variables": {"task": {}}})
    queued = await api.run(await api.thread())
    assert (await api.call("DELETE", "/v1/prompts/groundwork-queries", scopes=RELEASE)).status_code == 204
    assert (await _ended(api, queued))["status"] == "completed", "version 1 stays what it was"
    again = await _ended(api, await api.run(await api.thread()))
    assert (again["status"], again["prompt"]) == ("completed", "groundwork-queries@3")


async def test_instructions_of_a_prompt_are_as_long_as_a_text_may_be_and_no_longer(api: Api) -> None:
    half = "x" * (MAX_INSTRUCTIONS_CHARS // 2)
    twice = {"name": "twice", "variables": {"a": {}}, "messages": [{"role": "system", "content": "{{a}}{{a}}"}]}
    await api.call("POST", "/v1/prompts", twice)
    fits = await _saved(api, instructions={"prompt": "twice", "variables": {"a": half}})
    assert fits.status_code == 201
    refused = await _saved(api, instructions={"prompt": "twice", "variables": {"a": f"{half}x"}})
    assert refused.status_code == 400
    assert "longer than 100,000 characters" in refused.json()["error"]["message"]


async def test_a_replay_has_the_version_of_the_run_unless_it_has_the_agent_of_now(api: Api) -> None:
    await _saved(api)
    run = await _ended(api, await api.run(await api.thread()))
    await api.call("PUT", "/v1/prompts/style/labels/production", {"version": 2}, scopes=RELEASE)
    path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/replay"
    same = (await api.call("POST", path, {"after": 0})).json()
    await api.call("POST", "/v1/agents", {**HELPER, "temperature": 0.5})
    now = (await api.call("POST", path, {"after": 0, "agent_version": "current"})).json()
    assert (same["prompt"], now["prompt"]) == ("style@1", "style@2")
