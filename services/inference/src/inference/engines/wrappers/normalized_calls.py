"""Tools of models that call them by themselves: calls go on while they are written, in OpenAI's form.

Servers read calls out of their model's text by parsers that break, in streams most of all (vllm#28806, #21301, #21544).
Their form is put right here; what the model wrote is the caller's to judge. The model is never asked again here: only
the gateway retries.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import structlog

from contracts.models.chat import ChatRequest
from inference.engines.wrappers.base import EngineWrapper
from inference.metrics import TOOL_CALLS
from inference.protocol.engines import ChatEngine, Completion, Piece
from inference.tool_calls.call_parts import CallParts, Form, whole_calls
from inference.tool_calls.calls import COMPLETE

log = structlog.get_logger(__name__)


class NormalizedCalls(EngineWrapper):
    """A `ChatEngine` before another. What has no tools passes as it is."""

    def __init__(self, name: str, inner: ChatEngine) -> None:
        super().__init__(inner)
        self._name = name

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer."""
        completion = await self._inner.complete(request)
        if not _has_tools(request):
            return completion
        return Completion(tuple(map(self._whole, completion.choices)), completion.usage, completion.extra)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """Text and calls as they come."""
        return self._normalized(request) if _has_tools(request) else self._inner.stream(request)

    async def _normalized(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        answers: dict[int, CallParts] = {}
        async with aclosing(self._inner.stream(request)) as pieces:
            async for piece in pieces:
                choices: list[dict[str, Any]] = []
                for choice in piece.choices:
                    choices += self._passed(answers.setdefault(choice.get("index", 0), CallParts()), choice)
                yield Piece(tuple(choices), piece.usage, piece.extra)  # empty ones show that the model lives
        for index, parts in answers.items():
            if parts.is_open:  # a server that does not say how it ended
                yield Piece(tuple(self._passed(parts, {"index": index, "delta": {}, "finish_reason": "tool_calls"})))

    def _passed(self, parts: CallParts, choice: dict[str, Any]) -> list[dict[str, Any]]:
        """The choices that go on in place of one; the end of an answer comes after the last of its calls."""
        delta, reason = choice.get("delta") or {}, choice.get("finish_reason")
        calls = parts.add(delta["tool_calls"]) if delta.get("tool_calls") else []
        if reason and parts.is_open:
            calls += parts.end(is_cut=reason not in COMPLETE)
            self._count(parts.forms if reason in COMPLETE else [])
        if not (calls or delta.get("tool_calls")):
            return [choice]
        said = {key: value for key, value in delta.items() if key != "tool_calls"}
        if calls and not reason:
            return [{**choice, "delta": {**said, "tool_calls": calls}}]
        called = [{"index": choice.get("index", 0), "delta": {"tool_calls": calls}, "finish_reason": None}]
        rest = [{**choice, "delta": said}] if reason or any(said.values()) else []
        return [*(called if calls else []), *rest]

    def _whole(self, choice: dict[str, Any]) -> dict[str, Any]:
        """A whole answer's choice with its calls in their form."""
        message = choice.get("message") or {}
        given = message.get("tool_calls")
        if not given:
            return choice
        is_cut = choice.get("finish_reason") not in COMPLETE
        calls, forms = whole_calls(given if isinstance(given, list) else [given], is_cut=is_cut)
        self._count(forms)
        rest = {key: value for key, value in message.items() if key != "tool_calls"}
        return {**choice, "message": {**rest, "tool_calls": calls} if calls else rest}

    def _count(self, forms: list[Form]) -> None:
        for form in forms:
            TOOL_CALLS.labels(self._name, form).inc()
        if "malformed" in forms:
            log.warning("a tool call's arguments are no JSON object", model=self._name)


def _has_tools(request: ChatRequest) -> bool:
    tools = (request.model_extra or {}).get("tools")
    return isinstance(tools, list) and bool(tools)
