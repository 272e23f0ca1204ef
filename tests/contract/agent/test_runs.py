"""Agents through the public API: the gateway, a real agent service behind it, and a model that takes scripted turns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from tests.support.agent.running import RunningAgents, running_agents

from agent.testing.scripted_agents import Turn
from contracts.agents.runs import FINAL_RUN_STATUSES
from contracts.models.chat import ChatRequest
from servicekit.core.errors import InvalidRequest
from servicekit.streams.sse import Event, decode

HELPER = {"name": "helper", "tools": ["calculator"], "instructions": "Compute."}
CAREFUL = {**HELPER, "approval": {"tools": ["calculator"]}}
SUM = Turn("Let me see.", [("calculator", {"expression": "6*7"})])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningAgents]:
    async with running_agents(tmp_path_factory.mktemp("agents")) as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def helper(agents: RunningAgents) -> None:
    agents.takes(SUM, "It is 42.")
    answer = await agents.gateway.call("POST", "/v1/agents", agents.key, json=HELPER)
    assert answer.status in (200, 201)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _thread(agents: RunningAgents) -> str:
    return str((await agents.call("POST", "/v1/threads", 201, json={}))["id"])


async def _until(agents: RunningAgents, path: str, *statuses: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            run: dict[str, Any] = await agents.call("GET", path)
            if run["status"] in (statuses or FINAL_RUN_STATUSES):
                return run
            await asyncio.sleep(0.02)


async def _events(agents: RunningAgents, path: str, **headers: str) -> list[Event]:
    """All events of a stream, to its end."""
    known = {"Authorization": f"Bearer {agents.key}", **headers}
    async with asyncio.timeout(60), agents.gateway.session.get(agents.gateway.url + path, headers=known) as answer:
        assert answer.status == 200, await answer.text()
        return [event async for event in decode(answer.content.iter_any())]


async def _charged(agents: RunningAgents, run: dict[str, Any]) -> list[dict[str, Any]]:
    """The ledger's rows of a run, which its usage must be the sum of."""
    rows = [row for row in await agents.gateway.usage_rows(1) if row["parent_id"] == run["id"]]
    used = run["usage"]
    assert used["prompt_tokens"] == sum(row["prompt_tokens"] for row in rows if row["route"] == "chat")
    assert used["completion_tokens"] == sum(row["completion_tokens"] for row in rows)
    assert used["model_calls"] == sum(row["route"] == "chat" for row in rows)
    assert Decimal(used["cost_usd"]) == Decimal(sum(row["cost_nano_usd"] for row in rows)).scaleb(-9)
    return rows


def _said(events: list[Event], step: int) -> str:
    told = [json.loads(event.data) for event in events if event.event == "token"]
    return "".join(one["data"]["text"] for one in told if one["step"] == step)


async def test_a_run_that_its_time_ends_gives_what_it_has_so_far_and_what_it_was_charged(agents: RunningAgents) -> None:
    agents.takes(Turn("The sea is wide and", hangs=True))
    short = {**HELPER, "name": "short", "tools": [], "limits": {"seconds": 1}}
    await agents.gateway.call("POST", "/v1/agents", agents.key, json=short)
    thread = await _thread(agents)
    body = {"agent": "short", "input": "Write about the sea."}
    started = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json=body)
    path = f"/v1/threads/{thread}/runs/{started['id']}"
    run = await _until(agents, path)
    assert (run["status"], run["limit"]) == ("limit_reached", "seconds")
    assert (run["output"] or "") == _said(await _events(agents, f"{path}/events"), 1)
    for row in await _charged(agents, run):
        assert (row["status"], row["error_type"]) == (200, "cut")
    completion = {"model": "agent:short", "messages": [{"role": "user", "content": "Write about the sea."}]}
    whole = await agents.call("POST", "/v1/chat/completions", json=completion)
    assert whole["choices"][0]["finish_reason"] == "length"
    report = whole["groundwork"]
    run = await agents.call("GET", f"/v1/threads/{report['thread_id']}/runs/{report['run_id']}")
    await _charged(agents, run)
    assert (whole["choices"][0]["message"]["content"] or "") == (run["output"] or "")
    kinds = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert {kind: whole["usage"][kind] for kind in kinds} == {kind: run["usage"][kind] for kind in kinds}


async def test_what_a_run_searches_is_charged_to_it(agents: RunningAgents) -> None:
    agents.takes(Turn("", [("search_documents", {"query": "leave"})]), "There is none.")
    seeker = {**HELPER, "name": "seeker", "tools": ["search_documents"]}
    await agents.gateway.call("POST", "/v1/agents", agents.key, json=seeker)
    thread = await _thread(agents)
    body = {"agent": "seeker", "input": "How much leave is there?"}
    started = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json=body)
    run = await _until(agents, f"/v1/threads/{thread}/runs/{started['id']}")
    rows = await _charged(agents, run)
    assert [row["embedding_tokens"] for row in rows if row["route"] == "search"] == [3]
    assert run["status"] == "completed"


async def test_a_run_that_is_cancelled_or_fails_keeps_what_it_said_and_what_it_was_charged(
    agents: RunningAgents,
) -> None:
    agents.takes(SUM, Turn("It is probably forty", hangs=True))  # the last word is held back: more may belong to it
    thread = await _thread(agents)
    body = {"agent": "helper", "input": "What is 6 times 7?"}
    started = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json=body)
    path = f"/v1/threads/{thread}/runs/{started['id']}"
    known = {"Authorization": f"Bearer {agents.key}"}
    async with (
        asyncio.timeout(60),
        agents.gateway.session.get(f"{agents.gateway.url}{path}/events", headers=known) as answer,
    ):
        heard = ""
        async for event in decode(answer.content.iter_any()):
            told = json.loads(event.data)
            if event.event == "token" and told["step"] == 2:
                heard += told["data"]["text"]
            if "probably" in heard:
                break
    await agents.call("POST", f"{path}/cancel", 202)
    run = await _until(agents, path)
    assert (run["status"], run["output"]) == ("cancelled", "It is probably")
    rows = await _charged(agents, run)
    assert [row["error_type"] for row in rows] == [None, "cut"]
    agents.model.script = _refusing_the_second
    started = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json=body)
    run = await _until(agents, f"/v1/threads/{thread}/runs/{started['id']}")
    assert (run["status"], run["output"]) == ("failed", "Let me see.")
    assert len(await _charged(agents, run)) == 2


def _refusing_the_second(request: ChatRequest) -> Turn:
    if request.messages[-1].role == "tool":
        raise InvalidRequest("The engine does not take this.")
    return SUM


async def test_a_run_is_started_followed_and_replayed_from_any_event(agents: RunningAgents) -> None:
    thread = await _thread(agents)
    body = {"agent": "helper", "input": "What is 6 times 7?", "stream": True}
    known = {"Authorization": f"Bearer {agents.key}"}
    url = f"{agents.gateway.url}/v1/threads/{thread}/runs"
    async with agents.gateway.session.post(url, json=body, headers=known) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        events = [event async for event in decode(answer.content.iter_any())]
    assert [event.id for event in events] == [str(number) for number in range(1, len(events) + 1)]
    assert events[-1].event == "run.completed"
    run_id = json.loads(events[0].data)["run_id"]
    path = f"/v1/threads/{thread}/runs/{run_id}"
    run = await agents.call("GET", path)
    assert (run["status"], run["output"], run["steps"], run["tool_calls"]) == ("completed", "It is 42.", 2, 1)
    result = next(json.loads(event.data)["data"] for event in events if event.event == "tool_result")
    assert (result["content"], result["failed"]) == ("42", False)
    assert await _events(agents, f"{path}/events") == events
    assert await _events(agents, f"{path}/events", **{"Last-Event-ID": "4"}) == events[4:]
    history = (await agents.call("GET", f"/v1/threads/{thread}/history"))["data"]
    assert [said["role"] for said in history] == ["user", "assistant", "tool", "assistant"]


async def test_what_a_run_uses_is_charged_to_the_key_that_started_it(agents: RunningAgents) -> None:
    made = await agents.gateway.new_key(scopes=["chat", "agents"])
    thread = (await agents.call("POST", "/v1/threads", 201, json={}, key=made["secret"]))["id"]
    start = {"agent": "helper", "input": "6*7?"}
    run = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json=start, key=made["secret"])
    ended = await _until(agents, f"/v1/threads/{thread}/runs/{run['id']}")
    rows = [row for row in await agents.gateway.usage_rows(1) if row["key_id"] == made["id"] and row["model"]]
    assert [row["model"] for row in rows] == ["turns", "turns"]
    assert ended["usage"]["prompt_tokens"] == sum(row["prompt_tokens"] for row in rows)
    assert round(float(ended["usage"]["cost_usd"]) * 1e9) == sum(row["cost_nano_usd"] for row in rows)


async def test_the_openai_client_streams_an_agent_and_gets_it_whole(agents: RunningAgents) -> None:
    async with AsyncOpenAI(base_url=f"{agents.gateway.url}/v1", api_key=agents.key, max_retries=0) as client:
        assert "agent:helper" in [model.id async for model in client.models.list()]
        whole = await client.chat.completions.create(
            model="agent:helper", messages=[{"role": "user", "content": "What is 6 times 7?"}]
        )
        stream = await client.chat.completions.create(
            model="agent:helper",
            messages=[{"role": "user", "content": "What is 6 times 7?"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert said == whole.choices[0].message.content == "Let me see.\n\nIt is 42."
    assert chunks[-1].usage == whole.usage
    report = whole.model_dump()["groundwork"]
    assert (report["status"], report["steps"], report["tool_calls"], report["agent_version"]) == ("completed", 2, 1, 1)


async def test_approvals_go_through_the_api(agents: RunningAgents) -> None:
    await agents.call(
        "POST", "/v1/agents", 201, json={**HELPER, "name": "careful", "approval": {"tools": ["calculator"]}}
    )
    thread = await _thread(agents)
    run = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json={"agent": "careful", "input": "6*7?"})
    path = f"/v1/threads/{thread}/runs/{run['id']}"
    waiting = await _until(agents, path, "waiting_approval")
    call = waiting["pending_tool_calls"][0]
    assert (call["name"], call["arguments"]) == ("calculator", {"expression": "6*7"})
    decision = {"tool_call_id": call["id"], "action": "edit", "arguments": {"expression": "6*8"}}
    await agents.call("POST", f"{path}/resume", 400, json={"decisions": [{**decision, "tool_call_id": "other"}]})
    slip = {**decision, "arguments": {"expresion": "6*8"}}
    told = await agents.call("POST", f"{path}/resume", 422, json={"decisions": [slip]})
    assert (told["error"]["code"], "'expresion'" in told["error"]["message"]) == ("arguments_dont_fit", True)
    await agents.call("POST", f"{path}/resume", 202, json={"decisions": [decision]})
    await _until(agents, path, "completed")
    results = [json.loads(event.data)["data"] for event in await _events(agents, f"{path}/events")]
    assert [data["content"] for data in results if "failed" in data] == ["48"]
    await agents.call("POST", f"{path}/resume", 409, json={"decisions": [decision]})


async def test_a_completion_that_waits_for_a_person_says_so(agents: RunningAgents) -> None:
    await agents.call(
        "POST", "/v1/agents", 201, json={**HELPER, "name": "asking", "approval": {"tools": ["calculator"]}}
    )
    body = {"model": "agent:asking", "messages": [{"role": "user", "content": "6*7?"}]}
    whole = await agents.call("POST", "/v1/chat/completions", json=body)
    report = whole["groundwork"]
    assert report["status"] == "waiting_approval"
    assert report["run_id"] in whole["choices"][0]["message"]["content"]
    path = f"/v1/threads/{report['thread_id']}/runs/{report['run_id']}"
    decision = {"tool_call_id": report["pending_tool_calls"][0]["id"], "action": "approve"}
    await agents.call("POST", f"{path}/resume", 202, json={"decisions": [decision]})
    assert (await _until(agents, path))["output"] == "It is 42."


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


async def test_a_completion_answers_without_the_tools_of_its_caller_and_says_so(agents: RunningAgents) -> None:
    question = {"role": "user", "content": "What is 6 times 7?"}
    body = {"model": "agent:helper", "messages": [question], "tools": [TOOL]}
    answer = await agents.gateway.call("POST", "/v1/chat/completions", agents.key, json=body)
    assert (answer.status, answer.headers["X-Groundwork-Degraded"]) == (200, "tools_ignored")
    assert (await answer.json())["groundwork"]["degraded"] == ["tools_ignored"]
    refused = await agents.call("POST", "/v1/chat/completions", 400, json={**body, "tool_choice": "required"})
    assert "do not call the request's tools" in refused["error"]["message"]
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    seen = {**body, "messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}]}
    refused = await agents.call("POST", "/v1/chat/completions", 400, json=seen)
    assert refused["error"]["code"] == "content_unsupported"


async def test_a_conversation_that_another_program_s_tool_ended_is_answered(agents: RunningAgents) -> None:
    asked: list[str] = []

    async def note(request: Any) -> None:
        asked.append("\n".join(message.plain_text() for message in request.messages))

    call = {"id": "c", "type": "function", "function": {"name": "hand_over", "arguments": "{}"}}
    said = [
        {"role": "user", "content": "What is 6 times 7?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "Transferred to the helper."},
    ]
    agents.model.before = note
    try:
        whole = await agents.call("POST", "/v1/chat/completions", json={"model": "agent:helper", "messages": said})
    finally:
        agents.model.before = None
    assert whole["choices"][0]["message"]["content"].endswith("It is 42.")
    assert asked[0].index("Transferred to the helper.") < asked[0].index("What is 6 times 7?")


async def test_a_run_is_cancelled_while_its_model_speaks(agents: RunningAgents) -> None:
    begun = asyncio.Event()

    async def for_ever(_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    agents.model.before = for_ever
    try:
        thread = await _thread(agents)
        run = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json={"agent": "helper", "input": "6*7?"})
        await begun.wait()
        await agents.call("POST", f"/v1/threads/{thread}/runs/{run['id']}/cancel", 202)
        assert (await _until(agents, f"/v1/threads/{thread}/runs/{run['id']}"))["status"] == "cancelled"
    finally:
        agents.model.before = None


async def test_a_revoked_key_stops_its_runs(agents: RunningAgents) -> None:
    made = await agents.gateway.new_key(scopes=["chat", "agents"])
    revoked = asyncio.Event()

    async def wait(_: object) -> None:
        await revoked.wait()

    agents.model.before = wait
    try:
        thread = (await agents.call("POST", "/v1/threads", 201, json={}, key=made["secret"]))["id"]
        start = {"agent": "helper", "input": "6*7?"}
        run = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json=start, key=made["secret"])
        await agents.gateway.call("DELETE", f"/v1/keys/{made['id']}")
        revoked.set()
        ended = await _until(agents, f"/v1/threads/{thread}/runs/{run['id']}")
        assert (ended["status"], ended["error"]["code"]) == ("failed", "key_revoked")
    finally:
        agents.model.before = None


async def test_nobody_else_sees_a_thread(agents: RunningAgents) -> None:
    thread = await _thread(agents)
    stranger = await agents.gateway.new_key(tenant="other", scopes=["chat", "agents"])
    narrow = await agents.gateway.new_key(scopes=["chat", "agents"], collections=["handbook"])
    no_agents = await agents.gateway.new_key(scopes=["chat"])
    for key in (stranger["secret"], narrow["secret"], no_agents["secret"]):
        await agents.call("GET", f"/v1/threads/{thread}", 404, key=key)
        await agents.call("DELETE", f"/v1/threads/{thread}", 404, key=key)
        listed = await agents.call("GET", "/v1/threads", key=key)
        assert thread not in [one["id"] for one in listed["data"]]
    await agents.call("GET", "/v1/agents/helper", 404, key=stranger["secret"])
    await agents.call("GET", f"/v1/threads/{thread}/runs", 403, key=no_agents["secret"])
    async with AsyncOpenAI(base_url=f"{agents.gateway.url}/v1", api_key=no_agents["secret"], max_retries=0) as client:
        with pytest.raises(openai.PermissionDeniedError):
            await client.chat.completions.create(model="agent:helper", messages=[{"role": "user", "content": "x"}])


async def test_the_same_call_twice_starts_one_run(agents: RunningAgents) -> None:
    thread = await _thread(agents)
    start = {"agent": "helper", "input": "6*7?"}
    headers = {"Idempotency-Key": "once"}
    path = f"/v1/threads/{thread}/runs"
    first = await agents.call("POST", path, 202, json=start, headers=headers)
    again = await agents.call("POST", path, 202, json=start, headers=headers)
    assert first["id"] == again["id"]
    await agents.call("POST", path, 409, json={**start, "input": "other"}, headers=headers)
    assert len((await agents.call("GET", path))["data"]) == 1


async def test_each_change_of_an_agent_is_a_version(agents: RunningAgents) -> None:
    wanted = {"name": "versioned", "instructions": "One."}
    assert (await agents.call("POST", "/v1/agents", 201, json=wanted))["version"] == 1
    assert (await agents.call("POST", "/v1/agents", 200, json=wanted))["version"] == 1
    assert (await agents.call("POST", "/v1/agents", 201, json={**wanted, "instructions": "Two."}))["version"] == 2
    versions = (await agents.call("GET", "/v1/agents/versioned/versions"))["data"]
    assert [(one["version"], one["instructions"]) for one in versions] == [(2, "Two."), (1, "One.")]
    await agents.call("DELETE", "/v1/agents/versioned", 204)
    await agents.call("GET", "/v1/agents/versioned", 404)
    assert (await agents.call("POST", "/v1/agents", 201, json=wanted))["version"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"tools": ["teleport"]},
        {"tools": ["calculator", "calculator"]},
        {"tools": [{"type": "http_get", "hosts": []}]},
        {"limits": {"steps": 0}},
        {"output_schema": {"type": "nothing"}},
        {"output_schema": {"$ref": "http://127.0.0.1/schema"}},
        {"tools": [{"type": "mcp", "server": "nowhere"}]},
        {"approval": {"tools": ["calculator"]}},
        {"model": "rag:handbook"},
        {"model": "agent:helper"},
        {"model": "turms"},
        {"limits": {"seconds": 86_400}},
    ],
)
async def test_a_definition_that_could_not_run_is_refused_with_a_reason(
    agents: RunningAgents, wrong: dict[str, Any]
) -> None:
    answer = await agents.gateway.call("POST", "/v1/agents", agents.key, json={"name": "wrong", **wrong})
    assert answer.status in (400, 422)
    assert (await answer.json())["error"]["message"]


async def test_runs_of_all_threads_are_listed_to_the_keys_that_see_those(agents: RunningAgents) -> None:
    await agents.call("POST", "/v1/agents", 201, json={"name": "listed", "instructions": "One."})
    path = f"/v1/threads/{await _thread(agents)}/runs"
    begun = (await agents.call("POST", path, 202, json={"agent": "listed", "input": "Go."}))["id"]
    await _until(agents, f"{path}/{begun}")
    listed = "/v1/runs?agent=listed"
    assert [run["id"] for run in (await agents.call("GET", listed))["data"]] == [begun]
    narrow = await agents.gateway.new_key(scopes=["agents"], collections=["handbook"])
    assert (await agents.call("GET", listed, key=narrow["secret"]))["data"] == []
    talker = await agents.gateway.new_key(scopes=["chat"])
    await agents.call("GET", listed, 403, key=talker["secret"])
