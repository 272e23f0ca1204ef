"""The official MCP client against `/mcp` of the real gateway and agent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from tests.support.agents_running import RunningAgents, running_agents


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


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search", {"query": "\ud800", "collections": ["handbook"]}),
        ("search", {"query": "leave", "collections": ["handbook\n"]}),
        ("ask", {"question": "\ud800", "collections": ["handbook"]}),
        ("ask", {"question": "leave?", "collections": ["handbook\n"]}),
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
