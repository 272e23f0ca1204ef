"""Tools of models that llama.cpp has call them by themselves, where its server leaves something to be wished.

It does not hold a model to a call that must be made (`tool_choice` required or named): free text may come before it,
and small models never come to its end. And it reads calls in the form of the chat template alone: some models,
Qwen2.5-Coder among them, write the call as bare JSON, which it passes on as text.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from contracts.models.chat import ChatRequest
from inference.engines.wrappers.base import EngineWrapper
from inference.engines.wrappers.constrained_tools import ConstrainedTools
from inference.engines.wrappers.normalized_calls import NormalizedCalls
from inference.metrics import TOOL_CALLS
from inference.protocol.engines import ChatEngine, Completion, Piece
from inference.protocol.pieces import calls_piece, end_piece
from inference.tool_calls.calls import FENCE, MalformedCalls, Tools, read_tools

OPENINGS = ("{", "[", "`")
"""How a text begins that may be a call, fences included."""


class NativeTools(EngineWrapper):
    """A `ChatEngine` before llama.cpp's: a call that must be made is held to its schema, any other is the model's."""

    def __init__(self, name: str, inner: ChatEngine) -> None:
        super().__init__(NormalizedCalls(name, WrittenCalls(name, inner)))
        self._forced = ConstrainedTools(name, inner)

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer."""
        return await self._engine_for(request).complete(request)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """Text as it comes, and calls that the model makes by itself."""
        return self._engine_for(request).stream(request)

    def _engine_for(self, request: ChatRequest) -> ChatEngine:
        tools = read_tools(request.model_extra or {})
        return self._forced if tools is not None and tools.required else self._inner


class WrittenCalls(EngineWrapper):
    """A `ChatEngine` before another: an answer that is nothing but the JSON of calls that fit their tools is these."""

    def __init__(self, name: str, inner: ChatEngine) -> None:
        super().__init__(inner)
        self._name = name

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer."""
        completion, tools = await self._inner.complete(request), read_tools(request.model_extra or {})
        if tools is None:
            return completion
        choices = tuple(self._with_calls(choice, tools) for choice in completion.choices)
        return Completion(choices, completion.usage, completion.extra)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """Text as it comes, but for what may be a call: that waits for its end."""
        tools = read_tools(request.model_extra or {})
        return self._inner.stream(request) if tools is None else self._read(request, tools)

    async def _read(self, request: ChatRequest, tools: Tools) -> AsyncGenerator[Piece, None]:
        texts: dict[int, _Text] = {}
        async with aclosing(self._inner.stream(request)) as pieces:
            async for piece in pieces:
                passed: list[dict[str, Any]] = []
                for choice in piece.choices:
                    text = texts.setdefault(choice.get("index", 0), _Text())
                    passed += text.feed(choice, tools)
                    if text.calls:
                        TOOL_CALLS.labels(self._name, "mended").inc(len(text.calls))
                        yield calls_piece(text.calls, choice.get("index", 0))
                        yield end_piece("tool_calls", choice.get("index", 0))
                        text.calls = []
                yield Piece(tuple(passed), piece.usage, piece.extra)  # empty ones show that the model lives

    def _with_calls(self, choice: dict[str, Any], tools: Tools) -> dict[str, Any]:
        message = choice.get("message") or {}
        if message.get("tool_calls") or choice.get("finish_reason") != "stop":
            return choice
        calls = written_calls(message.get("content") or "", tools)
        if not calls:
            return choice
        TOOL_CALLS.labels(self._name, "mended").inc(len(calls))
        said = {**message, "content": None, "tool_calls": calls}
        return {**choice, "message": said, "finish_reason": "tool_calls"}


class _Text:
    """One choice of a stream: what of it is held back, since it may be a call."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        """What the held text was, once it is whole."""
        self._held: list[dict[str, Any]] = []
        self._text = ""
        self._plain = False

    def feed(self, choice: dict[str, Any], tools: Tools) -> list[dict[str, Any]]:
        """The choices that may be shown now, in place of one that came."""
        delta = choice.get("delta") or {}
        self._text += delta.get("content") or ""
        begun = self._text.lstrip()
        if self._plain or delta.get("tool_calls") or (begun and not begun.startswith(OPENINGS)):
            self._plain = True
            return self._release(choice)
        if choice.get("finish_reason") is None:
            if not begun:
                return [choice] if not delta.get("content") else self._hold(choice)
            return self._hold(choice)
        self.calls = written_calls(self._text, tools) if choice["finish_reason"] == "stop" else []
        if self.calls:
            self._held.clear()
            return []
        return self._release(choice)

    def _hold(self, choice: dict[str, Any]) -> list[dict[str, Any]]:
        self._held.append(choice)
        return []

    def _release(self, choice: dict[str, Any]) -> list[dict[str, Any]]:
        released, self._held = [*self._held, choice], []
        return released


def written_calls(text: str, tools: Tools) -> list[dict[str, Any]]:
    """The calls that a text is, and is nothing beside; none where it is anything else."""
    bare = FENCE.sub("", text).strip()
    if not bare.startswith(OPENINGS):
        return []
    try:
        return tools.read_fitting(json.loads(bare))
    except (ValueError, RecursionError, MalformedCalls):
        return []
