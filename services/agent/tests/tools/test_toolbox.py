"""What an agent names is there, or it is refused when it is saved."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_socket import enable_socket
from services.agent.tests.payments import Till, pay
from services.agent.tests.runs_bench import bench

from agent.agents import definition_files, definitions
from agent.errors import AgentNotFound, DefinitionRefused
from agent.settings import AgentSettings
from agent.tools.mcp_client import McpUnreachable
from agent.tools.mcp_servers import McpServer
from agent.tools.toolbox import Toolbox
from contracts.agents.agents import AgentDefinition
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

TILL = McpServer(command=[sys.executable, str(Path(__file__).parents[1] / "payment_server.py")], seconds=60)
GONE = McpServer(command=["/nowhere/till"], seconds=60)


@pytest.fixture
def toolbox(database: Database) -> Toolbox:
    return replace(bench(database).agents.toolbox, servers={"till": TILL, "gone": GONE})


def agent(**definition: Any) -> AgentDefinition:
    return AgentDefinition.model_validate(definition)


def mcp(*tools: str, server: str = "till") -> dict[str, Any]:
    return {"type": "mcp", "server": server, "tools": list(tools) or None}


@pytest.mark.parametrize("model", ["rag:handbook", "agent:helper"])
async def test_a_model_that_is_no_plain_one_is_refused(toolbox: Toolbox, model: str) -> None:
    with pytest.raises(DefinitionRefused, match="must be a plain one"):
        await toolbox.check("acme", agent(model=model))


@pytest.mark.parametrize(
    ("tools", "approval"),
    [
        (["calculator"], "calculater"),
        ([mcp()], "till__refnd"),
        ([mcp("pay")], "till__refund"),
        ([mcp("pay"), "calculator"], "till__"),
        ([mcp()], "calculator"),
    ],
)
async def test_an_approval_of_what_no_tool_is_called_is_refused(
    toolbox: Toolbox, tools: list[Any], approval: str
) -> None:
    enable_socket()  # the event loop's own pair, for the program's pipes
    with pytest.raises(DefinitionRefused, match=f"no tool '{approval}'. Its tools: "):
        await toolbox.check("acme", agent(tools=tools, approval={"tools": [approval]}))


async def test_tools_of_a_server_are_looked_for_on_it(toolbox: Toolbox) -> None:
    enable_socket()
    await toolbox.check("acme", agent(tools=[mcp("pay")], approval={"tools": ["till__pay"]}))
    await toolbox.check("acme", agent(tools=[mcp()], approval={"tools": ["till__refund"]}))
    with pytest.raises(DefinitionRefused, match="'till' has no tool 'pays'"):
        await toolbox.check("acme", agent(tools=[mcp("pay", "pays")]))
    with pytest.raises(McpUnreachable):
        await toolbox.check("acme", agent(tools=[mcp(server="gone")], approval={"tools": ["gone__pay"]}))


async def test_a_run_whose_approval_names_no_tool_any_more_calls_none(database: Database) -> None:
    till = Till()
    one = bench(database, pay(1), "Done.", tools={"pay": till})
    await one.define(approval={"tools": ["pays"]})
    run = await one.run()
    assert run.error is not None
    assert (run.status, run.error.code, till.paid) == ("failed", "invalid_agent", [])
    assert "no tool 'pays'" in run.error.message


async def test_a_run_may_be_at_work_no_longer_than_the_operator_says(database: Database) -> None:
    one = bench(database, "Done.", settings=AgentSettings(run_seconds=100))
    with pytest.raises(DefinitionRefused, match="may be 100 at most"):
        await one.agents.toolbox.check("acme", agent(limits={"seconds": 101}))
    await one.define(limits={"seconds": 86_400})  # saved before the operator said so
    await one.start()
    work = await one.queue.claim("bench")
    assert work is not None
    assert work.definition.limits.seconds == 100


async def test_a_file_with_an_agent_that_could_not_run_leaves_it_and_the_others_as_they_are(
    database: Database, toolbox: Toolbox, tmp_path: Path
) -> None:
    (tmp_path / "good.yaml").write_text("tenant: acme\ninstructions: Be brief.\n")
    (tmp_path / "wrong.yaml").write_text("tenant: acme\nmodel: rag:handbook\n")
    (tmp_path / "slip.yaml").write_text("tenant: acme\ntools: [calculator]\napproval: {tools: [calculater]}\n")
    files, now = definition_files.read_folder(tmp_path), ManualClock().now()
    assert await definition_files.save_agents(files, database, now, toolbox.check_alone) == 1
    async with database.read() as connection:
        await definitions.get_agent(connection, "acme", "good")
        for name in ("wrong", "slip"):
            with pytest.raises(AgentNotFound):
                await definitions.get_agent(connection, "acme", name)
