"""`POST /v1/completions`, told as a chat whose messages are raw prompts."""

from __future__ import annotations

import json
from typing import Any

from contracts.agents.prompts import PROMPT
from contracts.models.catalog import AGENT, RAG
from contracts.models.chat import ChatRequest
from contracts.models.completions import CompletionRequest, as_chat, token_ids_of, with_texts
from gateway.dependencies import Dependencies
from gateway.proxy.token_calls import texts_of_tokens
from gateway.routing.plan import plan_for
from gateway.streaming.exchange import Exchange
from gateway.usage.meter import MeteredCall
from servicekit.core.errors import InvalidRequest
from servicekit.streams.sse import END, data_of, is_done, is_error
from servicekit.web.json_bodies import validated

NOT_OURS = ("messages", "raw_prompts")
"""Fields of a chat that would be lost beside a prompt."""


class NotForCompletions(InvalidRequest):
    """A model that answers conversations only."""

    code = "not_for_completions"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"'{model[:200]}' is a chat model and not supported in the v1/completions endpoint. Did you mean to use "
            "v1/chat/completions?",
            param="model",
        )


class Completions:
    """A `Translation`."""

    def question(self, body: bytes) -> ChatRequest:
        """The prompts as messages."""
        request = validated(CompletionRequest, body)
        if request.model.startswith((RAG, AGENT, PROMPT)):
            raise NotForCompletions(request.model)
        for name in NOT_OURS:
            if name in (request.model_extra or {}):
                raise InvalidRequest(f"A completion has no '{name}', but a 'prompt'.", param=name)
        return ChatRequest.model_validate(as_chat(request))

    def whole(self, body: bytes) -> bytes:
        """As a `text_completion`."""
        return _encoded(_as_text_completion(json.loads(body), "message"))

    def answer_id(self, chat_id: str) -> str:
        """As a completion's."""
        return _completion_id(chat_id)

    def frame(self, frame: bytes) -> bytes:
        """Chunks as `text_completion`; errors, comments and the end as they are."""
        if frame.startswith(b":") or is_done(frame) or is_error(frame):
            return frame
        return b"data: " + _encoded(_as_text_completion(json.loads(data_of(frame)), "delta")) + END


async def read_tokens(exchange: Exchange, deps: Dependencies, call: MeteredCall, request: ChatRequest) -> ChatRequest:
    """The request with texts where the caller gave token ids: those of the first model that will be asked."""
    if (tokens := token_ids_of(request)) is None:
        return request
    models, routes = await deps.models_and_routes(call.principal.tenant, request.model)
    plan = plan_for(request.model, models, routes, call.principal, call.assignment)
    call.model = plan.models[0].id
    return with_texts(request, await texts_of_tokens(exchange, deps, call, plan.models[0], tokens, "prompt"))


def _as_text_completion(answer: dict[str, Any], part: str) -> dict[str, Any]:
    choices = [_choice(choice, part) for choice in answer.get("choices") or ()]
    return {**answer, "id": _completion_id(str(answer.get("id", ""))), "object": "text_completion", "choices": choices}


def _completion_id(chat_id: str) -> str:
    return f"cmpl-{chat_id.removeprefix('chatcmpl').lstrip('_-')}"


def _choice(choice: dict[str, Any], part: str) -> dict[str, Any]:
    message = choice.get(part) or {}
    rest = {name: value for name, value in choice.items() if name != part}
    return {"text": message.get("content") or "", "logprobs": None, "finish_reason": None, **rest}


def _encoded(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
