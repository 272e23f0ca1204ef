"""`POST /mcp`: the Model Context Protocol over streamable HTTP, each message answered by itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import JSONResponse, Response

from agent.mcp_server import McpServer
from contracts.mcp import McpMessage, McpReply
from servicekit.delegation import Caller, require
from servicekit.routes import Router

router = Router(tags=["mcp"])


async def _server(request: Request) -> McpServer:
    found: McpServer = request.app.state.dependencies.mcp
    return found


@router.post("/mcp", response_model=McpReply, responses={202: {"description": "A notification was taken."}})
async def message(
    body: McpMessage,
    request: Request,
    caller: Annotated[Caller, require("agent")],
    server: Annotated[McpServer, Depends(_server)],
) -> Response:
    """Answer a request, or take a notification."""
    reply = await server.answer(body, caller, request.state.request_id)
    if reply is None:
        return Response(status_code=202)
    return JSONResponse(reply.model_dump(mode="json", exclude_none=True))
