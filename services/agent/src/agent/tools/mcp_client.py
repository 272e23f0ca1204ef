"""Tools of MCP servers, by the official client. The arguments are validated by us: the SDK's server does not do it.

A connection lives in a task of its own, so that a server that breaks ends calls to it and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import structlog

from agent.schemas.validation import SchemaBroken, check_schema
from agent.tools.mcp_results import text_of
from agent.tools.mcp_servers import McpServer
from agent.tools.tool import OutcomeUnknown, Repeat, Tool, ToolCaller, ToolFailed
from servicekit.core.errors import NotReady

if TYPE_CHECKING:
    from mcp import Client

log = structlog.get_logger(__name__)
KEY = "groundwork/key"
MAX_PAGES = 20
MAX_DESCRIPTION = 2000


class McpUnreachable(NotReady):
    """The server does not answer now."""

    def __init__(self, server: str) -> None:
        super().__init__(f"The MCP server '{server}' can't be reached now. Its operator's log may say more.")
        self.code = f"mcp_{server}"[:40]


class _Connection:
    """One connection, kept open by its own task."""

    def __init__(self, name: str, server: McpServer) -> None:
        self.name = name
        self._server = server
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._ending = asyncio.Event()
        self._task = asyncio.create_task(self._keep())

    async def client(self) -> Client:
        """The client once it is connected; raises `McpUnreachable`."""
        try:
            async with asyncio.timeout(self._server.seconds):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            raise McpUnreachable(self.name) from None

    @property
    def broken(self) -> bool:
        """Whether the connection is gone."""
        return self._task.done()

    async def close(self) -> None:
        """End it, for a bounded time."""
        self._ending.set()
        await asyncio.wait({self._task}, timeout=5)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._ready.done() and not self._ready.cancelled():
            self._ready.exception()

    async def _keep(self) -> None:
        try:
            async with self._connect() as client:
                self._ready.set_result(client)
                await self._ending.wait()
        except Exception as error:  # noqa: BLE001  # the SDK raises groups of anything; what matters is that it is gone
            log.warning("MCP connection ended", server=self.name, error=repr(error)[:300])
        finally:
            if not self._ready.done():
                self._ready.set_exception(McpUnreachable(self.name))

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[Client]:
        from mcp import Client, StdioServerParameters
        from mcp.client.streamable_http import streamable_http_client
        from mcp.shared._httpx_utils import create_mcp_http_client

        server = self._server
        if server.command is not None:
            secrets = {name: value.get_secret_value() for name, value in server.environment.items()}
            program = StdioServerParameters(command=server.command[0], args=server.command[1:], env=secrets)
            async with Client(program, cache=None) as client:
                yield client
            return
        headers = {name: value.get_secret_value() for name, value in server.headers.items()}
        async with (
            create_mcp_http_client(headers=headers) as http,
            Client(streamable_http_client(server.url or "", http_client=http), cache=None) as client,
        ):
            yield client


@asynccontextmanager
async def mcp_tools(name: str, server: McpServer, wanted: Sequence[str] | None) -> AsyncIterator[list[Tool]]:
    """The server's tools (all, or those wanted) while the block lasts; raises `McpUnreachable`."""
    connection = _Connection(name, server)
    try:
        client = await connection.client()
        tools: list[Tool] = []
        try:
            async with asyncio.timeout(server.seconds):
                async for found in _list_tools(client):
                    if wanted is None or found.name in wanted:
                        tools.extend(_to_tools(connection, server, found))
        except Exception as error:
            log.warning("MCP tools can't be listed", server=name, error=repr(error)[:300])
            raise McpUnreachable(name) from error
        yield tools
    finally:
        await connection.close()


async def _list_tools(client: Client) -> AsyncIterator[Any]:
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            yield tool
        cursor = page.next_cursor
        if cursor is None:
            return


def _to_tools(connection: _Connection, server: McpServer, found: Any) -> list[Tool]:
    """The tool, or nothing where its schema is none."""
    try:
        check_schema(found.input_schema)
    except SchemaBroken as error:
        log.warning("MCP tool left out", server=connection.name, tool=found.name, error=str(error))
        return []
    return [McpTool(connection, server, found)]


class McpTool:
    """`Tool`: one tool of an MCP server."""

    kind = "mcp"

    def __init__(self, connection: _Connection, server: McpServer, found: Any) -> None:
        self._connection = connection
        self._server = server
        self._far_name: str = found.name
        self.name = tool_name(connection.name, found.name)
        self.description = (found.description or found.title or found.name)[:MAX_DESCRIPTION]
        self.parameters = _without(found.input_schema, server.key_argument)

    @property
    def repeat(self) -> Repeat:
        """As the operator says; a tool of which nothing is said is called once at most."""
        if self._far_name in self._server.safe or "*" in self._server.safe:
            return "safe"
        return "key" if self._far_name in self._server.keyed or "*" in self._server.keyed else "never"

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """The text of the result."""
        if self._connection.broken:
            raise ToolFailed("The MCP server of this tool is gone.")
        given = dict(arguments)
        if self._server.key_argument is not None and self.repeat == "key":
            given[self._server.key_argument] = caller.key
        client = await self._connection.client()
        try:
            result = await client.call_tool(self._far_name, given, meta=cast("Any", {KEY: caller.key}))
        except Exception as error:
            log.warning("MCP call failed", server=self._connection.name, tool=self._far_name, error=repr(error)[:300])
            raise OutcomeUnknown(f"The MCP server failed ({type(error).__name__}) before it answered.") from error
        text = await text_of(result, client.read_resource, self._server.seconds)
        if result.is_error:
            raise ToolFailed(text or "The tool failed without saying why.")
        return text


def tool_name(server: str, name: str) -> str:
    """What the model calls a server's tool."""
    plain = "".join(each if each.isascii() and (each.isalnum() or each in "_-") else "_" for each in name)
    return f"{server}__{plain}"[:64]


def _without(schema: dict[str, Any], name: str | None) -> dict[str, Any]:
    """The schema without the argument that we set ourselves."""
    if name is None:
        return schema
    properties = {key: value for key, value in schema.get("properties", {}).items() if key != name}
    required = [key for key in schema.get("required", []) if key != name]
    return {**schema, "properties": properties, "required": required}
