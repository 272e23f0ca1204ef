"""The error envelope, in OpenAI's shape, that every service answers with."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from contracts.core.base import Reply

ErrorType = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "conflict",
    "rate_limited",
    "budget_exceeded",
    "overloaded",
    "internal",
    "upstream_error",
    "upstream_timeout",
    "content_blocked",
]
"""The closed set of error types of the public API."""


class ErrorBody(Reply):
    """What went wrong and, in `message`, what to do about it."""

    type: ErrorType
    code: str
    """A stable machine-readable word, for instance `collection_not_found`."""
    message: str
    param: str | None = None
    """The field of the request that was at fault, as a dotted path."""
    request_id: str | None = None
    usage: dict[str, Any] | None = Field(default=None, exclude_if=lambda usage: usage is None)
    """What models read before the call failed, as the answer's `usage` would have had it; absent where none did."""


class ErrorEnvelope(Reply):
    """`{"error": {...}}`."""

    error: ErrorBody
