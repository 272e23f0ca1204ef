"""Records of agents' answers through the public API, on each database: they name what their tools found and read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.agent.running import RunningAgents, running_agents

from agent.testing.scripted_agents import Turn
from agent.testing.scripted_answers import hit
from contracts.agents.runs import FINAL_RUN_STATUSES

DEADLINE_SECONDS = 60
SCOPES = ["chat", "agents", "search", "documents", "records:read", "records:write", "feedback:write", "feedback:review"]
SEARCH = Turn("I look.", [("search_documents", {"query": "leave"})])
SAID = "You get 27 days."
ASKED = [{"role": "user", "content": "How much leave?"}]


@pytest.fixture
async def agents(databases: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path) -> AsyncIterator[RunningAgents]:
    """With an agent that searches, in a collection whose records go with its documents."""
    ours, theirs = databases
    async with running_agents(tmp_path, ours, **theirs) as running:
        running.gateway.seen.hits = [hit("27 days of leave.", "leave", revision=7).model_dump(mode="json")]
        running.gateway.seen.delete_records = True
        tools = [{"type": "search_documents", "collections": ["handbook"]}]
        await running.call("POST", "/v1/agents", 201, json={"name": "helper", "tools": tools})
        unchecked = {"name": "unchecked", "tools": tools, "grounding": "off"}
        await running.call("POST", "/v1/agents", 201, json=unchecked)
        await running.call("POST", "/v1/agents", 201, json={"name": "idle"})
        running.takes(SEARCH, SAID)
        yield running


async def test_each_way_to_ask_an_agent_is_on_record_with_its_passages_and_goes_with_their_document(
    agents: RunningAgents,
) -> None:
    key = (await agents.gateway.new_key(scopes=SCOPES, records="full"))["secret"]
    chat = {"model": "agent:helper", "messages": ASKED}
    whole = await agents.call("POST", "/v1/chat/completions", key=key, json=chat)
    response = await agents.call("POST", "/v1/responses", key=key, json={"model": "agent:helper", "input": "Leave?"})
    streamed = await _stream(agents, key, chat)
    run = await _run(agents, key, "helper", input="Leave?")
    assert "sources" not in whole["groundwork"]
    assert "sources" not in json.dumps(response)
    ids = {whole["id"], response["id"], streamed, run["id"]}
    other = await agents.call("POST", "/v1/chat/completions", key=key, json={**chat, "model": "agent:idle"})
    for answer_id in ids:
        record = await agents.read_record(key, answer_id)
        (found,) = record["hits"]
        named = {name: found[name] for name in ("collection", "document_id", "revision", "text")}
        assert named == {"collection": "handbook", "document_id": "leave", "revision": 7, "text": "27 days of leave."}
        assert record["collections"] == ["handbook"]
        rated = await agents.call("POST", "/v1/feedback", 201, key=key, json={"answer_id": answer_id, "rating": "up"})
        assert (rated["recorded"], rated["collections"]) == (True, ["handbook"])
    assert (await agents.read_record(key, other["id"]))["hits"] == []
    assert await _ids(agents, key, collection="handbook") == ids
    lines = await agents.gateway.call("GET", "/v1/feedback/export", key, params={"format": "questions"})
    assert [json.loads(line)["documents"] for line in (await lines.text()).splitlines()] == [["leave"], ["leave"]]
    await agents.call("DELETE", "/v1/collections/handbook/documents/leave", 204, key=key)
    assert await _ids(agents, key) == {other["id"]}


async def test_an_answer_that_its_caller_broke_off_names_what_it_had_been_made_from(agents: RunningAgents) -> None:
    key = (await agents.gateway.new_key(scopes=SCOPES, records="full"))["secret"]
    agents.takes(SEARCH, Turn("You get 27 days, and then", hangs=True))
    left = await _stream(agents, key, {"model": "agent:unchecked", "messages": ASKED}, "27 days")
    record = await agents.read_record(key, left)
    assert record["error_type"] == "client_disconnected"
    assert "27" in record["answer"]
    assert [one["document_id"] for one in record["hits"]] == ["leave"]


async def test_an_answer_from_documents_that_its_caller_broke_off_goes_with_its_document_too(
    agents: RunningAgents,
) -> None:
    key = (await agents.gateway.new_key(scopes=SCOPES, records="full"))["secret"]
    agents.takes(Turn("You get 27 days of leave. And then", hangs=True))
    asked = [{"role": "user", "content": "How many days of leave?"}]
    body = {"model": "rag:handbook", "messages": asked, "groundwork": {"grounding": "annotate"}}
    left = await _stream(agents, key, body, "27 days")
    record = await agents.read_record(key, left)
    assert (record["error_type"], record["collections"]) == ("client_disconnected", ["handbook"])
    assert "27" in record["answer"]
    (found,) = record["hits"]
    assert (found["document_id"], found["revision"], found["text"]) == ("leave", 7, "27 days of leave.")
    await agents.call("DELETE", "/v1/collections/handbook/documents/leave", 204, key=key)
    assert await _ids(agents, key) == set()


async def test_a_run_goes_with_a_document_that_an_earlier_run_of_its_thread_or_the_replayed_one_had_found(
    agents: RunningAgents,
) -> None:
    key = (await agents.gateway.new_key(scopes=SCOPES, records="full"))["secret"]
    first = await _run(agents, key, "helper", input="How much leave?")
    path = f"/v1/threads/{first['thread_id']}/runs"
    agents.takes("As I said: 27 days.")
    body = {"agent": "idle", "input": "How much was it?"}
    second = await _ended(agents, key, await agents.call("POST", path, 202, key=key, json=body))
    replayed = await agents.call("POST", f"{path}/{first['id']}/replay", 202, key=key, json={"after": 1})
    replay = await _ended(agents, key, replayed)
    other = await _run(agents, key, "idle", input="How much leave?")
    for run in (first, second, replay):
        assert [one["document_id"] for one in (await agents.read_record(key, run["id"]))["hits"]] == ["leave"]
    assert (await agents.read_record(key, other["id"]))["hits"] == []
    await agents.call("DELETE", "/v1/collections/handbook/documents/leave", 204, key=key)
    assert await _ids(agents, key) == {other["id"]}


async def test_a_run_goes_with_the_user_it_was_for(agents: RunningAgents) -> None:
    masked = {"input": {"pii": "redact"}, "output": {"pii": "redact"}}
    key = (await agents.gateway.new_key(scopes=SCOPES, records="full", guardrails=masked))["secret"]
    jane, bob = "jane@acme.example", "bob@acme.example"
    agents.takes("Done.")
    of_jane = await _run(agents, key, "idle", input="Do it.", user=jane)
    of_bob = await _run(agents, key, "idle", input="Do it.", user=bob)
    path = f"/v1/threads/{of_jane['thread_id']}/runs/{of_jane['id']}/replay"
    replay = await agents.call("POST", path, 202, key=key, json={"after": 0})
    await _ended(agents, key, replay)
    ids = [one["id"] for one in (of_jane, replay, of_bob)]
    assert "jane" not in (await agents.read_record(key, ids[0]))["user"], "masked, and found by its hash"
    for answer_id in ids:
        await agents.read_record(key, answer_id)
    assert await _ids(agents, key, user=jane) == set(ids[:2])
    gone = await agents.call("DELETE", "/v1/records", key=key, params={"user": jane})
    assert gone == {"deleted": 2}
    assert await _ids(agents, key) == {ids[2]}


async def test_a_run_that_is_cancelled_before_it_begins_or_while_it_waits_is_on_record(agents: RunningAgents) -> None:
    key = (await agents.gateway.new_key(scopes=SCOPES, records="full"))["secret"]
    tools = [{"type": "search_documents", "collections": ["handbook"]}, "calculator"]
    careful = {"name": "careful", "tools": tools, "approval": {"tools": ["calculator"]}}
    await agents.call("POST", "/v1/agents", 201, json=careful)
    agents.takes(SEARCH, Turn("", [("calculator", {"expression": "6*7"})]))
    waiting = await _run(agents, key, "careful", input="Sum it up.")
    assert waiting["status"] == "waiting_approval"
    path = f"/v1/threads/{waiting['thread_id']}/runs/{waiting['id']}/cancel"
    await agents.call("POST", path, 202, key=key)
    record = await agents.read_record(key, waiting["id"])
    assert (record["status"], record["error_type"], record["error"]["code"]) == (409, "conflict", "run_cancelled")
    assert record["question"] == "Sum it up."
    assert [one["document_id"] for one in record["hits"]] == ["leave"]
    assert record["receipt"]["tokens"]["prompt"] > 0
    spared = await _run(agents, key, "careful", input="And that.", headers={"X-Groundwork-Record": "no"})
    await agents.call("POST", f"/v1/threads/{spared['thread_id']}/runs/{spared['id']}/cancel", 202, key=key)
    later = await _run(agents, key, "idle", input="Later.")
    await agents.read_record(key, later["id"])
    assert await _ids(agents, key) == {waiting["id"], later["id"]}


async def _run(agents: RunningAgents, key: str, agent: str, *, headers: Any = None, **body: Any) -> dict[str, Any]:
    """A run on a thread of its own, as far as it goes by itself."""
    thread = (await agents.call("POST", "/v1/threads", 201, key=key, json={}))["id"]
    wanted = {"agent": agent, **body}
    path = f"/v1/threads/{thread}/runs"
    return await _ended(agents, key, await agents.call("POST", path, 202, key=key, json=wanted, headers=headers or {}))


async def _ended(agents: RunningAgents, key: str, run: dict[str, Any]) -> dict[str, Any]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while run["status"] not in (*FINAL_RUN_STATUSES, "waiting_approval"):
            await asyncio.sleep(0.02)
            run = await agents.call("GET", f"/v1/threads/{run['thread_id']}/runs/{run['id']}", key=key)
    return run


async def _stream(agents: RunningAgents, key: str, body: dict[str, Any], until: str | None = None) -> str:
    """The id of a streamed answer that is read to its end, or until this is said, when its caller leaves."""
    known, said, answer_id = {"Authorization": f"Bearer {key}"}, "", ""
    url = f"{agents.gateway.url}/v1/chat/completions"
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        agents.gateway.session.post(url, json={**body, "stream": True}, headers=known) as answer,
    ):
        async for line in answer.content:
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line.removeprefix(b"data: "))
            assert "sources" not in (chunk.get("groundwork") or {})
            assert chunk["choices"], "nothing that is for the record alone"
            answer_id, delta = chunk["id"], chunk["choices"][0]["delta"]
            said += delta.get("content") or ""
            if until is not None and until in said:
                break
    return answer_id


async def _ids(agents: RunningAgents, key: str, **query: str) -> set[str]:
    return {one["id"] for one in (await agents.call("GET", "/v1/records", key=key, params=query))["data"]}
