"""Chat answers in the words of responses: items, usage, and the response around them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from contracts.models.responses import Response, ResponseRequest, ResponseUsage
from servicekit.core.identifiers import new_id

ENDS = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is not complete."""
ECHOED = (
    "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls", "tools", "tool_choice",
    "service_tier", "temperature", "top_logprobs", "top_p", "user", "safety_identifier", "prompt_cache_key",
)  # fmt: skip
"""Fields of a request that its response repeats."""
SEARCH_CALL = "file_search_call"
_NOT_OURS = ("type", "url_citation", "index")


def blank(request: ResponseRequest, answer: Mapping[str, Any]) -> dict[str, Any]:
    """A response that has just begun, with what was asked for; `answer` is the first that came of its chat."""
    said = {name: value for name in ECHOED if (value := getattr(request, name)) is not None}
    if request.text is not None:
        said["text"] = {"format": {"type": "text"}, **request.text.model_dump(mode="json", exclude_none=True)}
    if request.reasoning is not None:
        said["reasoning"] = {"effort": request.reasoning.effort, "summary": None}
    created = answer.get("created")
    began = created if isinstance(created, int) and created > 0 else int(time.time())
    model = answer.get("model") or request.model
    named = {"id": response_id(answer.get("id")), "created_at": began, "status": "in_progress", "model": model}
    return Response.model_validate({**named, "output": [], **said}).model_dump(mode="json", exclude={"groundwork"})


def response_id(chat_id: object) -> str:
    """That of the chat answer, as a response's."""
    return f"resp_{str(chat_id or '').removeprefix('chatcmpl').lstrip('_-') or new_id('r')}"


def item(kind: str, **fields: Any) -> dict[str, Any]:
    """An output item that has just begun."""
    prefix = {"message": "msg", "function_call": "fc", "reasoning": "rs", SEARCH_CALL: "fs"}[kind]
    return {"id": new_id(prefix), "type": kind, "status": "in_progress", **fields}


def text_part(text: str = "") -> dict[str, Any]:
    """A part of an answer's message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def annotation(given: Mapping[str, Any]) -> dict[str, Any]:
    """A citation as responses have it: of a document as `file_citation` with our fields beside, else of a page."""
    page = given.get("url_citation")
    page = page if isinstance(page, Mapping) else {}
    own = {name: value for name, value in given.items() if name not in _NOT_OURS}
    if "document_id" in given or "marker" in given:
        filename = given.get("source") or given.get("title") or ""
        cited = {"type": "file_citation", "file_id": given.get("document_id", ""), "filename": filename}
        url = {"url": page["url"]} if "url" in page else {}
        return {**cited, "index": given.get("index", page.get("start_index", 0)), **url, **own}
    return {"type": "url_citation", **page, **own}


def tokens(usage: object) -> dict[str, Any] | None:
    """A chat's `usage` as a response's."""
    if not isinstance(usage, Mapping):
        return None
    return ResponseUsage(
        input_tokens=_count(usage, "prompt_tokens"),
        input_tokens_details={"cached_tokens": _count(usage.get("prompt_tokens_details"), "cached_tokens")},
        output_tokens=_count(usage, "completion_tokens"),
        output_tokens_details={"reasoning_tokens": _count(usage.get("completion_tokens_details"), "reasoning_tokens")},
        total_tokens=_count(usage, "total_tokens"),
    ).model_dump()


def _count(usage: object, name: str) -> int:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
