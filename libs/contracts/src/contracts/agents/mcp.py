"""The Model Context Protocol on the wire, as far as `/mcp` speaks it: JSON-RPC 2.0, one message a call."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from contracts.core.base import Request

REPORT_HEADER = "x-groundwork-report"
"""Of a call by the gateway: an answer tells what its record names (a result of `ask` has `META`, a chat its sources
before its words). A client's own header does not get that far."""
META = "_meta"
"""Of a result: the receipt and the sources of an answer, for its record. No client sees it."""
MessageId = int | Annotated[str, StringConstraints(max_length=200)]


class McpMessage(Request):
    """Body of `POST /mcp`. Without an `id` it is a notification, which is answered with 202 and nothing."""

    model_config = ConfigDict(extra="allow")
    jsonrpc: Literal["2.0"]
    method: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    id: MessageId | None = None
    params: dict[str, Any] | None = None


class McpReply(BaseModel):
    """The answer to a request: a `result` or an `error`."""

    jsonrpc: Literal["2.0"] = "2.0"
    id: MessageId | None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
