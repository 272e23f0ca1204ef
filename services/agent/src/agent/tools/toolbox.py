"""Which tools a run has: those of its agent's definition, and none besides."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from agent.errors import DefinitionRefused
from agent.schemas.validation import SchemaBroken, check_schema
from agent.tools.built_in import ToolResources, built_in_tools
from agent.tools.mcp_client import mcp_tools, tool_name
from agent.tools.mcp_servers import McpServer
from agent.tools.search_history import SearchHistory
from agent.tools.tool import Tool
from contracts.agents.agents import AgentDefinition, McpTools
from contracts.models.catalog import AGENT, RAG

Connect = Callable[[str, McpServer, Sequence[str] | None], AbstractAsyncContextManager[list[Tool]]]


@dataclass(frozen=True)
class Toolbox:
    """Makes the tools of a definition."""

    resources: ToolResources
    servers: Mapping[str, McpServer]
    connect: Connect = mcp_tools
    """How the tools of an MCP server are had: its name, how it is reached, and which of them are wanted."""
    max_seconds: float = math.inf
    """The longest that a run may be at work."""

    async def check(self, tenant: str, definition: AgentDefinition) -> None:
        """Raise `DefinitionRefused` for what could not be run, and for names that no tool has, also of MCP servers;
        `McpUnreachable` where one of these does not say which tools it has."""
        self.check_alone(tenant, definition)
        async with self.tools(tenant, definition) as found:
            for tool in (tool for tool in definition.tools if isinstance(tool, McpTools)):
                for name in tool.tools or ():
                    if tool_name(tool.server, name) not in found:
                        raise DefinitionRefused(f"The MCP server '{tool.server}' has no tool '{name}'.", "tools")
            check_approvals(definition, found)
            check_choice(definition, found)

    def check_alone(self, tenant: str, definition: AgentDefinition) -> None:
        """The part of `check` that asks nobody else."""
        if definition.model.startswith((RAG, AGENT)):
            raise DefinitionRefused(
                f"An agent's model must be a plain one, not '{definition.model[:100]}'. To answer from documents give "
                "the agent the tool search_documents; GET /v1/models lists the models.",
                "model",
            )
        if definition.limits.seconds > self.max_seconds:
            raise DefinitionRefused(
                f"limits.seconds may be {self.max_seconds:g} at most here (AGENT_RUN_SECONDS).", "limits.seconds"
            )
        for tool in definition.tools:
            if isinstance(tool, McpTools) and not self._may_use(tenant, tool.server):
                raise DefinitionRefused(
                    f"There is no MCP server '{tool.server}'. The operator names them in AGENT_MCP_FILE.", "tools"
                )
        if definition.output_schema is not None:
            try:
                check_schema(definition.output_schema)
            except SchemaBroken as error:
                raise DefinitionRefused(f"output_schema: {error}.", "output_schema") from None
        check_approvals(definition, _possible(definition), whole=not _has_open_server(definition))
        check_choice(definition, _possible(definition), whole=not _has_open_server(definition))

    @asynccontextmanager
    async def tools(self, tenant: str, definition: AgentDefinition) -> AsyncIterator[dict[str, Tool]]:
        """The tools by name, while the block lasts."""
        found: list[Tool] = []
        async with AsyncExitStack() as closing:
            for tool in definition.tools:
                if not isinstance(tool, McpTools):
                    found.append(built_in_tools()[tool.type].make(tool, self.resources))
                elif self._may_use(tenant, tool.server):
                    server = self.connect(tool.server, self.servers[tool.server], tool.tools)
                    found.extend(await closing.enter_async_context(server))
            yield {tool.name: tool for tool in found}

    def _may_use(self, tenant: str, name: str) -> bool:
        server = self.servers.get(name)
        return server is not None and (server.tenants is None or tenant in server.tenants)


def check_approvals(definition: AgentDefinition, tools: Collection[str], *, whole: bool = True) -> None:
    """Raise `DefinitionRefused` where the approval names what none of these tools is called: it would approve nothing.

    `whole` says that these are all of the agent's; else a name may be that of another tool of one of its MCP servers.
    The search in a thread's history may be named by every agent: it has it once a part is read as a summary only.
    """
    tools = {*tools, SearchHistory.name}
    servers = {tool.server for tool in definition.tools if isinstance(tool, McpTools) and tool.tools is None}
    for name in definition.approval.tools:
        if name not in tools and (whole or name.partition("__")[0] not in servers):
            there_are = ", ".join(sorted(tools)) or "none"
            raise DefinitionRefused(
                f"approval: the agent has no tool '{name}'. Its tools: {there_are}.", "approval.tools"
            )


def check_choice(definition: AgentDefinition, tools: Collection[str], *, whole: bool = True) -> None:
    """Raise `DefinitionRefused` where `tool_choice` asks for a call that can't be made; `whole` as for approvals."""
    choice, there_are = definition.tool_choice, ", ".join(sorted(tools)) or "none"
    if choice in ("auto", "none"):
        return
    if choice == "required" and not definition.tools:
        raise DefinitionRefused("tool_choice: the agent has no tools, so that it can't be `required`.", "tool_choice")
    if choice != "required" and choice not in tools and (whole or "__" not in choice):
        raise DefinitionRefused(
            f"tool_choice: the agent has no tool '{choice}'. Write auto, required, none or one of: {there_are}.",
            "tool_choice",
        )


def _possible(definition: AgentDefinition) -> set[str]:
    """The names of the tools that a definition names."""
    names: set[str] = set()
    for tool in definition.tools:
        names |= (
            {tool_name(tool.server, name) for name in tool.tools or ()} if isinstance(tool, McpTools) else {tool.type}
        )
    return names


def _has_open_server(definition: AgentDefinition) -> bool:
    return any(isinstance(tool, McpTools) and tool.tools is None for tool in definition.tools)
