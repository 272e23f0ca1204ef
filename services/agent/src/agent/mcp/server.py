"""The MCP server: any MCP client can search and ask with a key's rights. Stateless: each message stands for itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agent.answering.graph import Answering
from agent.mcp.tools import TOOLS, McpCall, McpTool, content_result
from agent.ports import Library
from agent.sanitisation.sanitiser import sanitise
from agent.schemas.validation import problems
from contracts.agents.mcp import McpMessage, McpReply
from servicekit.auth.delegation import Caller
from servicekit.core.errors import ServiceError
from servicekit.core.version import package_version

VERSIONS = ("2025-11-25", "2025-06-18")
"""Of the protocol, newest first. The one before has batches, which no version since has."""
METHOD_NOT_FOUND, INVALID_PARAMS = -32601, -32602
CANCELLED = "notifications/cancelled"


@dataclass(frozen=True, slots=True)
class McpServer:
    """Answers messages."""

    answering: Answering
    library: Library

    async def answer(
        self, message: McpMessage, caller: Caller, request_id: str, *, reports: bool = False
    ) -> McpReply | None:
        """The reply to a request; None for a notification. With `reports` that to `ask` has receipt and sources."""
        if message.id is None:
            return None
        params = message.params or {}
        if message.method == "initialize":
            return McpReply(id=message.id, result=_initialize(params))
        if message.method == "ping":
            return McpReply(id=message.id, result={})
        if message.method == "tools/list":
            return McpReply(id=message.id, result={"tools": [tool.describe() for tool in _list_tools(caller)]})
        if message.method == "tools/call":
            arguments = params.get("arguments") or {}
            call = McpCall(self.answering, self.library, arguments, caller, request_id, reports)
            return await self._call(message, params.get("name"), call)
        return _error(message, METHOD_NOT_FOUND, f"There is no method '{message.method}' here.")

    async def _call(self, message: McpMessage, name: object, call: McpCall) -> McpReply:
        tool = next((tool for tool in _list_tools(call.caller) if tool.name == name), None)
        if tool is None:
            return _error(message, INVALID_PARAMS, "There is no such tool, or the key lacks the scope for it.")
        wrong = problems(tool.schema, call.arguments)  # the SDK's low-level server no longer does this, ours does
        if wrong:
            return McpReply(
                id=message.id, result=content_result(f"The arguments do not fit: {'; '.join(wrong)}", failed=True)
            )
        try:
            return McpReply(id=message.id, result=await tool.run(call))
        except ValidationError as error:  # what JSON schema can't say: half a character, a line's end after a name
            wrong = [f"{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
            return McpReply(
                id=message.id, result=content_result(f"The arguments do not fit: {'; '.join(wrong)}", failed=True)
            )
        except ServiceError as error:
            return McpReply(id=message.id, result=content_result(sanitise(error.message), failed=True))


def _list_tools(caller: Caller) -> list[McpTool]:
    """A key sees the tools that it may use."""
    return [tool for tool in TOOLS if tool.scopes & set(caller.delegation.scopes)]


def _initialize(params: dict[str, Any]) -> dict[str, Any]:
    asked = params.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "groundwork", "version": package_version("agent")},
        "instructions": "Search documents, and ask for answers with checked citations.",
    }


def _error(message: McpMessage, code: int, why: str) -> McpReply:
    return McpReply(id=message.id, error={"code": code, "message": why})
