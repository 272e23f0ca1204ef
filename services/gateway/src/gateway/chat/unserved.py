"""What a request asks for that nobody here can do and that its answer does not hang on: it is left out and named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.models.catalog import AGENT, RAG
from contracts.models.chat import STORE_IGNORED, TOOL_IGNORED, TOOLS_IGNORED, ChatRequest

MAX_NAMED = 16
_OF_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")


def unserved(request: ChatRequest) -> list[str]:
    """The words of `degraded`: each type of tool once (`tool_ignored:web_search`) where a plain model is asked, else
    `tools_ignored`; and `store_ignored`, since no answer is kept to be fetched later."""
    fields = request.model_extra or {}
    if request.model.startswith((RAG, AGENT)):
        words = [TOOLS_IGNORED] if request.offers_tools() else []
    else:
        kinds = dict.fromkeys(str(tool["type"]) for tool in _tools(fields) if not _is_served(tool))
        words = [TOOL_IGNORED + re.sub(r"[^A-Za-z0-9_.-]", "_", kind[:64]) for kind in kinds][:MAX_NAMED]
    return [*words, STORE_IGNORED] if fields.get("store") is True else words


def without_unserved(request: ChatRequest) -> ChatRequest:
    """A plain model's request with functions alone. A choice of a tool that is left out is left to the model."""
    left_out = [tool for tool in _tools(request.model_extra or {}) if not _is_served(tool)]
    served = request.model_copy()
    fields = served.__pydantic_extra__ or {}
    fields.pop("store", None)
    if not left_out:
        return served
    fields["tools"] = [tool for tool in fields["tools"] if tool not in left_out]
    choice = fields.get("tool_choice")
    if not fields["tools"]:
        for name in _OF_TOOLS:
            fields.pop(name, None)
    elif isinstance(choice, Mapping) and not _is_served(choice):
        fields["tool_choice"] = "auto"
    return served


def _tools(fields: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    tools = fields.get("tools")
    return (tool for tool in tools if isinstance(tool, Mapping)) if isinstance(tools, list) else ()


def _is_served(tool: Mapping[str, Any]) -> bool:
    """A tool without a type is the model's to judge; so is a choice among functions."""
    kind = tool.get("type")
    return not isinstance(kind, str) or kind in ("function", "allowed_tools")
