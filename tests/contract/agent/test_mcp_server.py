"""The official MCP client against `/mcp` of the real gateway and agent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from tests.support.agent.running import RunningAgents, running_agents
from tests.support.gateway.running import DEADLINE_SECONDS

from agent.mcp.server import VERSIONS
from agent.testing.scripted_answers import hit

SEARCH = {"name": "search", "arguments": {"query": "x"}}


@pytest.fixture
async def agents(tmp_path: Path) -> AsyncIterator[RunningAgents]:
    async with running_agents(tmp_path) as running:
        yield running


async def test_the_official_client_connects_lists_and_calls(agents: RunningAgents) -> None:
    url = f"{agents.gateway.url}/mcp"
    headers = {"Authorization": f"Bearer {agents.key}"}
    async with (
        create_mcp_http_client(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http), cache=None) as client,
    ):
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == {"search", "ask", "list_collections"}
        listed = await client.call_tool("list_collections", {})
        assert listed.structured_content == {"collections": ["handbook", "papers", "secret"]}
        found = await client.call_tool("search", {"query": "leave", "collections": ["handbook"]})
        assert not found.is_error, found
        assert found.structured_content is not None
        wrong = await client.call_tool("search", {"query": "", "collections": ["handbook"], "more": 1})
        assert wrong.is_error
        with pytest.raises(MCPError):
            await client.call_tool("delete_everything", {})


async def test_a_key_sees_only_the_tools_that_it_may_use(agents: RunningAgents) -> None:
    made = await agents.gateway.new_key(scopes=["documents"])
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    listed = await agents.call("POST", "/mcp", json=message, key=made["secret"])
    assert [tool["name"] for tool in listed["result"]["tools"]] == ["list_collections"]
    call = {**message, "method": "tools/call", "params": {"name": "ask", "arguments": {}}}
    refused = await agents.call("POST", "/mcp", json=call, key=made["secret"])
    assert refused["error"]["code"] == -32602


async def test_without_collections_all_that_the_key_may_use_are_searched(agents: RunningAgents) -> None:
    key = await agents.gateway.new_key(scopes=["search", "chat"], collections=["papers", "handbook"])
    call = {"name": "search", "arguments": {"query": "leave"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    found = await agents.call("POST", "/mcp", json=message, key=key["secret"])
    assert not found["result"]["isError"], found
    assert sorted(agents.gateway.seen.last("retriever")["body"]["collections"]) == ["handbook", "papers"]
    nothing = await agents.gateway.new_key(scopes=["search"], collections=[])
    told = await agents.call("POST", "/mcp", json=message, key=nothing["secret"])
    assert told["result"]["isError"]
    assert "no collections" in told["result"]["content"][0]["text"]


async def test_each_tool_says_the_form_of_its_structured_content_and_keeps_to_it(agents: RunningAgents) -> None:
    listed = await agents.call("POST", "/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    schemas = {tool["name"]: tool["outputSchema"] for tool in listed["result"]["tools"]}
    calls = {"search": {"query": "leave"}, "ask": {"question": "How many days of leave?"}, "list_collections": {}}
    assert schemas.keys() == calls.keys()
    for name, arguments in calls.items():
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
        result = (await agents.call("POST", "/mcp", json=call))["result"]
        assert not result["isError"], result
        jsonschema_rs.validate(schemas[name], result["structuredContent"])


async def test_an_ask_is_on_record_by_the_id_that_it_tells_unless_its_call_says_no(agents: RunningAgents) -> None:
    gateway = agents.gateway
    text = "Full-time employees get 27 days of paid leave per year."
    gateway.seen.hits.append(hit(text, "leave-policy").model_dump(mode="json"))
    agents.takes(text, text)
    made = await gateway.new_key(scopes=["chat", "search", "records:read"], records="full")
    asked: dict[str, Any] = {"question": "How many days of paid leave per year?", "collections": ["handbook"]}

    async def ask(arguments: dict[str, Any], wish: str = "yes") -> Any:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": arguments}}
        headers = {"X-Groundwork-Record": wish}
        answer = await gateway.call("POST", "/mcp", made["secret"], json=call, headers=headers)
        assert answer.status == 200, await answer.text()
        return (await answer.json())["result"]

    said = (await ask(asked))["structuredContent"]
    await ask(asked, "no")
    assert (await ask({**asked, "collections": ["a"] * 99}))["isError"]
    await gateway.deps.recorder.all_written()
    record = await agents.call("GET", f"/v1/records/{said['id']}", key=made["secret"])
    assert (record["question"], record["answer"]) == (asked["question"], said["answer"])
    assert (record["model"], record["collections"]) == ("rag:handbook", ["handbook"])
    assert (record["abstained"], record["report"]["grounded"]) == (said["abstained"], said["grounded"])
    cited = {one["chunk_id"] for one in said["citations"]}
    assert cited, "the model's sentence is the source's"
    assert {hit["chunk_id"] for hit in record["hits"] if hit["cited"]} == cited
    listed = (await agents.call("GET", "/v1/records", key=made["secret"]))["data"]
    assert len(listed) == 2, "one said no"
    (failed,) = (one for one in listed if one["id"] != said["id"])
    assert (await agents.call("GET", f"/v1/records/{failed['id']}", key=made["secret"]))["error"][
        "code"
    ] == "tool_failed"


async def test_the_record_of_an_ask_holds_what_that_of_an_answer_does_and_its_caller_sees_none_of_it(
    agents: RunningAgents,
) -> None:
    gateway = agents.gateway
    text = "Full-time employees get 27 days of paid leave per year."
    gateway.seen.hits.append(hit(text, "leave-policy").model_dump(mode="json"))
    question = "How many days of paid leave per year?"
    agents.takes(text, text, text)
    recorded = await gateway.new_key(scopes=["chat", "search", "records:read"], records="full")
    unrecorded = await gateway.new_key(scopes=["chat", "search"])
    arguments = {"question": question, "collections": ["handbook"]}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": arguments}}
    replies = []
    for key in (recorded, unrecorded):
        answer = await gateway.call("POST", "/mcp", key["secret"], json=call, headers={"X-Groundwork-Report": "yes"})
        body = (await answer.text()).encode()
        answer_id = (await answer.json())["result"]["structuredContent"]["id"]
        replies.append(
            (answer.headers["content-length"], answer.headers["content-type"], body.replace(answer_id.encode(), b""))
        )
        if key is recorded:
            asked_id = answer_id
    assert replies[0] == replies[1]
    chat = {"model": "rag:handbook", "messages": [{"role": "user", "content": question}]}
    chat_id = (await agents.call("POST", "/v1/chat/completions", json=chat, key=recorded["secret"]))["id"]
    await gateway.deps.recorder.all_written()
    of_ask, of_chat = [
        await agents.call("GET", f"/v1/records/{one}", key=recorded["secret"]) for one in (asked_id, chat_id)
    ]
    assert of_ask["hits"] == of_chat["hits"] != []
    assert of_ask["receipt"].keys() == of_chat["receipt"].keys()
    for fact in ("tokens", "cost_usd", "prompt", "model", "collection_revisions", "degraded", "cache"):
        assert of_ask["receipt"][fact] == of_chat["receipt"][fact], fact
    for part, name in (("attempts", "model"), ("stages", "name")):
        assert [one[name] for one in of_ask["receipt"][part]] == [one[name] for one in of_chat["receipt"][part]], part
    assert of_ask["receipt"]["attempts"], "a model was asked"
    assert (of_ask["answered_by"], of_ask["prompt"]) == (of_chat["answered_by"], of_chat["prompt"])


async def test_an_ask_that_is_on_record_has_left_its_slot_once_its_answer_is_there(agents: RunningAgents) -> None:
    wanted = {"scopes": ["chat", "search"], "records": "full", "limits": {"concurrency": 1}}
    key = (await agents.gateway.new_key(**wanted))["secret"]
    call = {"name": "ask", "arguments": {"question": "How many days of leave?", "collections": ["handbook"]}}
    for number in range(12):
        message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": call}
        answer = await agents.gateway.call("POST", "/mcp", key, json=message)
        assert answer.status == 200, await answer.text()


async def _session(agents: RunningAgents) -> dict[str, str]:
    """The headers of a session that has begun."""
    params = {"protocolVersion": VERSIONS[0], "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    answer = await agents.gateway.call("POST", "/mcp", agents.key, json=message)
    return {"MCP-Session-Id": answer.headers["MCP-Session-Id"], "MCP-Protocol-Version": VERSIONS[0]}


def _hanging(agents: RunningAgents) -> tuple[asyncio.Event, asyncio.Event]:
    """Have every search wait; set when one has begun, and when it was ended from outside."""
    agents.gateway.seen.hold_searches = True
    return agents.gateway.seen.begun, agents.gateway.seen.cancelled


async def test_a_cancelled_call_ends_with_its_work_and_no_other_clients(agents: RunningAgents) -> None:
    begun, ended = _hanging(agents)
    mine, other = await _session(agents), await _session(agents)
    call = {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": "search", "arguments": {"query": "x"}},
    }
    working = asyncio.create_task(agents.gateway.call("POST", "/mcp", agents.key, json=call, headers=mine))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await begun.wait()
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    assert (await agents.gateway.call("POST", "/mcp", agents.key, json=cancel, headers=other)).status == 202
    another = {**cancel, "params": {"requestId": "7"}}
    assert (await agents.gateway.call("POST", "/mcp", agents.key, json=another, headers=mine)).status == 202
    assert not working.done()
    assert not ended.is_set()
    assert (await agents.gateway.call("POST", "/mcp", agents.key, json=cancel, headers=mine)).status == 202
    async with asyncio.timeout(DEADLINE_SECONDS):
        answer = await working
        await ended.wait()
    assert (answer.status, answer.headers["Content-Length"]) == (202, "0")
    (search,) = await agents.gateway.usage_rows(1, route="search")
    assert search["parent_id"] is not None
    assert search["embedding_tokens"] > 0, "what it had begun is charged"
    assert search["estimated"]


async def test_a_client_that_leaves_ends_its_calls_work(agents: RunningAgents) -> None:
    begun, ended = _hanging(agents)
    call = {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": "search", "arguments": {"query": "x"}},
    }
    working = asyncio.create_task(agents.gateway.call("POST", "/mcp", agents.key, json=call))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await begun.wait()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await ended.wait()


@pytest.mark.parametrize("version", ["1999-01-01", "2025-03-26", ""])
async def test_a_version_that_is_not_spoken_here_is_refused_with_those_that_are(
    agents: RunningAgents, version: str
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    told = await agents.call("POST", "/mcp", 400, json=message, headers={"MCP-Protocol-Version": version})
    assert told["error"]["data"] == {"supported": list(VERSIONS), "requested": version}
    await agents.call("POST", "/mcp", json=message, headers={"MCP-Protocol-Version": VERSIONS[-1]})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"jsonrpc": "2.0", ', -32700),
        (b"[" * 100_000, -32700),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "' + b"y" * 300_000 + b'"}}', -32600),
    ],
)
async def test_a_message_that_is_none_is_told_in_json_rpcs_words(agents: RunningAgents, body: bytes, code: int) -> None:
    told = await agents.call("POST", "/mcp", 400, data=body, headers={"Content-Type": "application/json"})
    assert (told["jsonrpc"], told["error"]["code"]) == ("2.0", code)
    assert told["error"]["message"]
    assert "id" in told


async def test_searches_and_questions_are_charged_and_refused_in_words_once_a_budget_is_spent(
    agents: RunningAgents,
) -> None:
    calls = {
        "search": {"query": "leave", "collections": ["handbook"]},
        "ask": {"question": "leave?", "collections": ["handbook"]},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    spent = await agents.gateway.new_key(scopes=["chat", "search"], budgets=[{"window": "day", "usd": "0"}])
    for name, arguments in calls.items():
        body = {**message, "params": {"name": name, "arguments": arguments}}
        answer = (await agents.call("POST", "/mcp", json=body))["result"]
        assert not answer["isError"], answer
        refused = (await agents.call("POST", "/mcp", json=body, key=spent["secret"]))["result"]
        assert refused["isError"]
        assert "budget" in refused["content"][0]["text"]
    rows = await agents.gateway.usage_rows(1)
    outer = {row["id"] for row in rows if row["route"] == "mcp" and row["key_id"] != spent["id"]}
    searches = [row for row in rows if row["route"] == "search"]
    assert [row["embedding_tokens"] for row in searches] == [3, 3]
    assert {row["parent_id"] for row in searches} == outer
    assert all(row["cost_nano_usd"] > 0 for row in searches)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search", {"query": "\ud800", "collections": ["handbook"]}),
        ("search", {"query": "leave", "collections": ["handbook\n"]}),
        ("ask", {"question": "\ud800", "collections": ["handbook"]}),
        ("ask", {"question": "leave?", "collections": ["handbook\n"]}),
        ("ask", {"question": "leave?", "collections": 5}),
        ("ask", {"question": 5}),
    ],
)
async def test_arguments_that_only_look_as_they_should_are_told(
    agents: RunningAgents, tool: str, arguments: dict[str, Any]
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    body, headers = json.dumps(message), {"Content-Type": "application/json"}
    told = await agents.call("POST", "/mcp", data=body, headers=headers)
    assert told["result"]["isError"], told
    assert told["result"]["content"][0]["text"]


async def test_a_page_of_another_origin_may_not_call(agents: RunningAgents) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    await agents.call("POST", "/mcp", 403, json=message, headers={"Origin": "http://evil.example"})
    await agents.call("POST", "/mcp", json=message, headers={"Origin": agents.gateway.url})
    rebound = {"Origin": "http://evil.example:8080", "Host": "evil.example:8080"}  # a name that was made to point here
    await agents.call("POST", "/mcp", 403, json=message, headers=rebound)
    answer = await agents.gateway.call("POST", "/mcp", "gw_wrong", json=message)
    assert answer.status == 401


async def test_a_notification_is_taken_without_an_answer(agents: RunningAgents) -> None:
    message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    answer = await agents.gateway.call("POST", "/mcp", agents.key, json=message)
    assert answer.status == 202
