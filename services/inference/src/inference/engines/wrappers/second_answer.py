"""What is shared by those who check tool calls of servers: the second question, and what both cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.models.chat import ChatRequest

BEFORE_THE_END = ("tool_calls", "stop", "function_call")
"""Why an answer ended that is complete."""


def repeated_request(asked: ChatRequest) -> ChatRequest:
    """The same question for one whole answer."""
    return asked.model_copy(update={"stream": False, "stream_options": None, "n": 1})


def total_usage(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The tokens of both; what only one counts in detail stays as it is."""
    if first is None or second is None:
        return dict(first or second or {}) or None
    counts = {
        key: first.get(key, 0) + value
        for key, value in second.items()
        if isinstance(value, int) and isinstance(first.get(key, 0), int)
    }
    return {**first, **counts}
