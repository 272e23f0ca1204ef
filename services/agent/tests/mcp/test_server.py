from __future__ import annotations

from typing import Any

from services.agent.tests.conftest import LEAVE, Bench

from agent.mcp.server import INVALID_PARAMS, METHOD_NOT_FOUND, VERSIONS, McpServer
from agent.testing.memory_library import MemoryLibrary
from contracts.access.delegation import Delegation, Scope
from contracts.agents.mcp import McpMessage
from servicekit.auth.delegation import Caller


def _caller(*scopes: Scope) -> Caller:
    rights = Delegation(audiences=("agent",), tenant="acme", key_id="k", request_id="r", scopes=scopes)
    return Caller(rights, "token")


async def ask(method: str, params: dict[str, Any] | None = None, *scopes: Scope) -> Any:
    server = McpServer(Bench(hits=(LEAVE,)).answering, MemoryLibrary({("handbook", "leave"): []}))
    message = McpMessage.model_validate({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    reply = await server.answer(message, _caller(*(scopes or ("search", "chat"))), "req_1")
    assert reply is not None
    return reply.error or reply.result


async def test_a_client_gets_the_version_that_it_asks_for_or_the_newest() -> None:
    assert (await ask("initialize", {"protocolVersion": VERSIONS[1]}))["protocolVersion"] == VERSIONS[1]
    assert (await ask("initialize", {"protocolVersion": "1999-01-01"}))["protocolVersion"] == VERSIONS[0]
    assert (await ask("nonsense"))["code"] == METHOD_NOT_FOUND


async def test_a_key_sees_and_calls_only_the_tools_of_its_scopes() -> None:
    listed = await ask("tools/list", None, "search")
    assert [tool["name"] for tool in listed["tools"]] == ["search", "list_collections"]
    refused = await ask("tools/call", {"name": "ask", "arguments": {"question": "Why?"}}, "search")
    assert refused["code"] == INVALID_PARAMS


async def test_arguments_that_do_not_fit_are_a_result_in_words() -> None:
    result = await ask("tools/call", {"name": "search", "arguments": {"limit": 5}})
    assert result["isError"]
    assert "do not fit" in result["content"][0]["text"]
