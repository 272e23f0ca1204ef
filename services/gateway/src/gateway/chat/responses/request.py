"""A response's request as one of a chat."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from contracts.agents.prompts import PROMPT
from contracts.models.chat import ChatRequest
from contracts.models.responses import ResponseRequest
from gateway.chat.responses.errors import NotKept, UnknownParameter, Unsupported
from gateway.chat.responses.items import messages_of
from gateway.chat.responses.tools import chat_tools, searched
from servicekit.web.json_bodies import invalid, validated

LOGPROBS = "message.output_text.logprobs"
PASSED = ("temperature", "top_p", "user", "safety_identifier", "prompt_cache_key", "service_tier", "store")
"""Fields that chats have, too."""
NEED_STORE = ("previous_response_id", "conversation", "background")
USUAL_VERBOSITY = "medium"


def read(body: bytes) -> ResponseRequest:
    """A body, checked; raises what is wrong with it."""
    request = validated(ResponseRequest, body)
    for name in request.model_extra or {}:
        raise UnknownParameter(name)
    for name in NEED_STORE:
        if getattr(request, name):
            raise NotKept(name)
    if request.context_management:
        raise Unsupported("context_management", "conversations are not shortened here")
    if request.truncation not in (None, "auto", "disabled"):
        raise Unsupported("truncation", "must be auto or disabled")
    return request


def as_chat(request: ResponseRequest) -> ChatRequest:
    """The same as a chat."""
    messages = messages_of(request.input)
    if request.instructions:
        messages.insert(0, {"role": "system", "content": request.instructions})
    if not messages and not request.model.startswith(PROMPT):
        raise Unsupported("input", "holds nothing but reasoning")
    chat: dict[str, Any] = {"model": request.model, "messages": messages}
    chat |= {name: value for name in PASSED if (value := getattr(request, name)) is not None}
    if request.max_output_tokens is not None:
        chat["max_completion_tokens"] = request.max_output_tokens
    if request.stream:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    if request.groundwork is not None:
        chat["groundwork"] = request.groundwork.model_dump(mode="json", exclude_unset=True)
    if request.prompt is not None and request.prompt.variables is not None:
        chat["groundwork"] = {**chat.get("groundwork", {}), "variables": request.prompt.variables}
    chat |= {**searched(request), **_form(request), **chat_tools(request), **_probabilities(request)}
    if request.reasoning is not None and request.reasoning.effort is not None:
        chat["reasoning_effort"] = request.reasoning.effort
    try:
        return ChatRequest.model_validate(chat)
    except ValidationError as failure:
        raise invalid(failure) from None


def _form(request: ResponseRequest) -> dict[str, Any]:
    """`text` as `response_format` and `verbosity`."""
    if request.text is None:
        return {}
    form: dict[str, Any] = {}
    if request.text.verbosity not in (None, USUAL_VERBOSITY):
        form["verbosity"] = request.text.verbosity
    wanted = request.text.format or {}
    kind = wanted.get("type", "text")
    if kind == "json_schema":
        named = {name: value for name, value in wanted.items() if name != "type" and value is not None}
        form["response_format"] = {"type": kind, "json_schema": named}
    elif kind == "json_object":
        form["response_format"] = {"type": kind}
    elif kind != "text":
        raise Unsupported("text.format.type", "must be text, json_object or json_schema")
    return form


def _probabilities(request: ResponseRequest) -> dict[str, Any]:
    if not request.top_logprobs and LOGPROBS not in (request.include or ()):
        return {}
    return {"logprobs": True, **({"top_logprobs": request.top_logprobs} if request.top_logprobs else {})}
