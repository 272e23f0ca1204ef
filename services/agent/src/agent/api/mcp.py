"""`POST /mcp`: the Model Context Protocol over streamable HTTP, each message answered by itself."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from agent.mcp.cancellation import name_of, new_session, unless_cancelled
from agent.mcp.server import CANCELLED, VERSIONS, McpServer
from contracts.agents.mcp import REPORT_HEADER, McpMessage, McpReply, MessageId
from servicekit.auth.delegation import Caller, require
from servicekit.jobs.notifier import Notifier
from servicekit.streams.disconnect import disconnected
from servicekit.web.router import Router

router = Router(tags=["mcp"])
VERSION_HEADER, SESSION_HEADER = "mcp-protocol-version", "mcp-session-id"
MAX_BYTES = 256 * 1024
"""Of one message: ten times the longest question, escaped."""
PARSE_ERROR, INVALID_REQUEST, UNSUPPORTED_VERSION = -32700, -32600, -32022


async def _server(request: Request) -> McpServer:
    found: McpServer = request.app.state.dependencies.mcp
    return found


async def _notifier(request: Request) -> Notifier:
    found: Notifier = request.app.state.dependencies.agents.notifier
    return found


@router.post(
    "/mcp",
    response_model=McpReply,
    responses={
        202: {"description": "A notification was taken, or the call was cancelled."},
        400: {"model": McpReply, "description": "The message can't be read: an `error` of JSON-RPC."},
    },
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": McpMessage.model_json_schema()}}}
    },
)
async def message(
    request: Request,
    caller: Annotated[Caller, require("agent", "search", "chat", "documents")],
    server: Annotated[McpServer, Depends(_server)],
    notifier: Annotated[Notifier, Depends(_notifier)],
) -> Response:
    """Answer a request, or take a notification."""
    version = request.headers.get(VERSION_HEADER)
    if version is not None and version not in VERSIONS:
        known = {"supported": list(VERSIONS), "requested": version[:100]}
        return _error(UNSUPPORTED_VERSION, "Unsupported protocol version", data=known)
    asked = _read(await request.body())
    if isinstance(asked, Response):
        return asked
    session, key_id = request.headers.get(SESSION_HEADER), caller.delegation.key_id
    if asked.id is None:
        cancelled = (asked.params or {}).get("requestId") if asked.method == CANCELLED else None
        if isinstance(cancelled, int | str) and (name := name_of(key_id, session, cancelled)) is not None:
            notifier.notify(name)
        return Response(status_code=202)
    working = server.answer(asked, caller, request.state.request_id, reports=REPORT_HEADER in request.headers)
    reply = await unless_cancelled(notifier, name_of(key_id, session, asked.id), disconnected(request.receive), working)
    if reply is None:
        return Response(status_code=202)
    headers = {SESSION_HEADER: new_session()} if asked.method == "initialize" else None
    return JSONResponse(reply.model_dump(mode="json", exclude_none=True), headers=headers)


def _read(body: bytes) -> McpMessage | Response:
    """The message, or what is wrong with it in JSON-RPC's words."""
    if len(body) > MAX_BYTES:
        return _error(INVALID_REQUEST, f"A message has at most {MAX_BYTES} bytes.")
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError):
        return _error(PARSE_ERROR, "The body is not valid JSON.")
    if isinstance(parsed, list):
        return _error(INVALID_REQUEST, "Send one message a call: no version spoken here has batches.")
    try:
        return McpMessage.model_validate(parsed)
    except ValidationError as failure:
        wrong = failure.errors(include_url=False)
        place = ".".join(map(str, wrong[0]["loc"])) or "message"
        is_named = isinstance(parsed, dict) and not any("id" in one["loc"][:1] for one in wrong)
        return _error(INVALID_REQUEST, f"{place}: {wrong[0]['msg']}.", parsed.get("id") if is_named else None)


def _error(code: int, why: str, message_id: MessageId | None = None, **more: Any) -> JSONResponse:
    reply = McpReply(id=message_id, error={"code": code, "message": why, **more})
    return JSONResponse(reply.model_dump(mode="json", exclude={"result"}), status_code=400)
