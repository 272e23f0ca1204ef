from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_socket import enable_socket
from services.agent.tests.runs_bench import bench

from agent.testing.scripted_agents import Turn
from agent.tools.mcp_client import mcp_tools
from agent.tools.mcp_servers import McpServer
from agent.tools.tool import Tool, ToolCaller, ToolFailed
from servicekit.sql.database import Database

SERVER = Path(__file__).parents[1] / "payment_server.py"


async def _token() -> str:
    return "token"


CALLER = ToolCaller("run:1:0", "run", "thread", _token)


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[dict[str, Tool]]:
    """The tools of a real MCP server that is started as a program."""
    enable_socket()  # the event loop's own pair, for the program's pipes
    server = McpServer(
        command=[sys.executable, str(SERVER), str(tmp_path / "paid")],
        keyed=["pay"],
        safe=["balance"],
        key_argument="key",
        seconds=600,
    )
    async with mcp_tools("till", server, None) as tools:
        yield {tool.name: tool for tool in tools}


async def test_tools_of_an_mcp_server_over_stdio(till: dict[str, Tool]) -> None:
    pay, balance = till["till__pay"], till["till__balance"]
    assert (pay.repeat, balance.repeat, till["till__refund"].repeat) == ("key", "safe", "never")
    assert "key" not in pay.parameters["properties"]
    assert await pay.call({"amount": 3}, CALLER) == "paid 3 by run:1:0"
    assert await pay.call({"amount": 3}, CALLER) == "paid 3 by run:1:0"  # made again with its key: done once
    assert await balance.call({}, CALLER) == "3"
    with pytest.raises(ToolFailed, match="refund"):
        await till["till__refund"].call({}, CALLER)


async def test_resources_and_links_of_a_result_are_read(till: dict[str, Tool]) -> None:
    assert await till["till__papers"].call({}, CALLER) == (
        "till://note\nClosed on Monday.\n"
        "till://list\na,b\n\n"
        "till://logo\n[till://logo, image/png, 6 bytes, which can't be read as text]\n"
        "rules: Refunds (till://rules)\nRefunds take 30 days.\n"
        "[gone (till://gone), which was not read]\n"
        "[film (till://film), which was not read]"
    )


async def test_a_run_uses_an_mcp_tool_and_its_arguments_are_validated_by_us(
    database: Database, till: dict[str, Tool]
) -> None:
    turns = [Turn("", [("till__pay", {"amount": "lots"})]), Turn("", [("till__pay", {"amount": 5})]), "Paid."]
    one = bench(database, *turns, tools=till)
    await one.define()
    run = await one.run()
    results = [said.content for said in await one.history(run.thread_id) if said.role == "tool"]
    assert "do not fit" in results[0]
    assert results[1] == f"paid 5 by {run.id}:2:0"
