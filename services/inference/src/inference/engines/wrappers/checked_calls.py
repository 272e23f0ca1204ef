"""Tools of models that call them by themselves: each call is passed on only when it is whole and can be read.

Servers write calls by parsers of the model's text, which break most often in streams (vllm#28806, #21301, #21544). So
parts of calls are held back until the answer ends; a call that can't be read is mended where that is safe, else the
model is asked once more, whole; then the answer fails rather than hand on a call that is none. Text streams.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import structlog

from contracts.models.chat import ChatRequest
from inference.engines.wrappers.base import EngineWrapper
from inference.engines.wrappers.second_answer import BEFORE_THE_END, repeated_request, total_usage
from inference.errors import UpstreamBroke
from inference.metrics import TOOL_CALLS
from inference.protocol.engines import ChatEngine, Completion, Piece
from inference.protocol.pieces import calls_piece, end_piece
from inference.tool_calls.call_parts import CallParts, Checker, truncated_call
from inference.tool_calls.calls import MalformedCalls

log = structlog.get_logger(__name__)


class CheckedCalls(EngineWrapper):
    """A `ChatEngine` before another. What has no tools passes as it is."""

    def __init__(self, name: str, inner: ChatEngine) -> None:
        super().__init__(inner)
        self._name = name

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer, its calls checked."""
        completion = await self._inner.complete(request)
        if (checker := _checker(request)) is None:
            return completion
        usage, choices = completion.usage, []
        for choice in completion.choices:
            try:
                choices.append(self._whole(checker, choice))
            except MalformedCalls:
                again, used = await self._ask_again(request, checker)
                usage = total_usage(usage, used)
                if isinstance(again, UpstreamBroke):
                    raise again from None
                choices.append({**again, "index": choice.get("index", 0)})
        return Completion(tuple(choices), usage, completion.extra)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """Text as it comes; calls when they are complete and checked."""
        checker = _checker(request)
        return self._inner.stream(request) if checker is None else self._checked(request, checker)

    async def _checked(self, request: ChatRequest, checker: Checker) -> AsyncGenerator[Piece, None]:
        answers: dict[int, _Answer] = {}
        usage: dict[str, Any] | None = None
        async with aclosing(self._inner.stream(request)) as pieces:
            async for piece in pieces:
                usage = piece.usage or usage
                passed = [each for choice in piece.choices if (each := _answer_of(answers, choice).pass_on(choice))]
                yield Piece(tuple(passed), piece.usage, piece.extra)  # empty ones show that the model lives
                for end in self._endings(checker, answers):
                    yield end
        for end in self._endings(checker, answers, at_end=True):
            yield end
        broken = {index: answer for index, answer in answers.items() if answer.is_broken}
        for index, answer in broken.items():  # now that the stream's slot is free: a model may be asked once more
            again, used = await self._ask_again(request, checker)
            if (usage := total_usage(usage, used)) is not None:
                yield Piece(usage=usage)
            for end in _rest(self._name, index, answer, again):
                yield end

    def _endings(self, checker: Checker, answers: dict[int, _Answer], *, at_end: bool = False) -> list[Piece]:
        return [end for index, answer in answers.items() for end in self._ending(checker, index, answer, at_end=at_end)]

    def _ending(self, checker: Checker, index: int, answer: _Answer, *, at_end: bool) -> list[Piece]:
        """The end of an answer that has ended, with its calls, unless they are broken."""
        if answer.is_over or answer.is_broken or not answer.parts.calls or not (answer.end or at_end):
            return []
        end = answer.end or {"index": index, "delta": {}, "finish_reason": "tool_calls"}
        try:
            calls = self._calls(checker, answer.parts.calls, str(end.get("finish_reason")))
        except MalformedCalls:
            answer.is_broken = True
            return []
        answer.is_over = True
        return [*([calls_piece(calls, index)] if calls else []), Piece((end,))]

    def _whole(self, checker: Checker, choice: dict[str, Any]) -> dict[str, Any]:
        """A whole answer's choice with its calls as they should be; raises `MalformedCalls`."""
        message = choice.get("message") or {}
        if not message.get("tool_calls"):
            return choice
        calls = self._calls(checker, message["tool_calls"], str(choice.get("finish_reason")))
        rest = {key: value for key, value in message.items() if key != "tool_calls"}
        return {**choice, "message": {**rest, "tool_calls": calls} if calls else rest}

    def _calls(self, checker: Checker, calls: object, reason: str) -> list[dict[str, Any]]:
        """Calls as they should be; of an answer that was cut, the last as far as it came. Raises `MalformedCalls`."""
        checked = []
        for call in calls if isinstance(calls, list) else [calls]:
            try:
                whole = checker.check(call)
            except MalformedCalls as error:
                if reason not in BEFORE_THE_END:  # as far as it came, as OpenAI gives it
                    checked += truncated_call(call)
                    continue
                log.warning("tool call malformed", model=self._name, why=str(error))
                raise
            TOOL_CALLS.labels(self._name, "as_written" if whole == call else "mended").inc()
            checked.append(whole)
        return checked

    async def _ask_again(
        self, request: ChatRequest, checker: Checker
    ) -> tuple[dict[str, Any] | UpstreamBroke, dict[str, Any] | None]:
        """The choice of a second answer, or that it is as bad; and what it cost."""
        TOOL_CALLS.labels(self._name, "asked_again").inc()
        completion = await self._inner.complete(repeated_request(request))
        try:
            return self._whole(checker, completion.choices[0]), completion.usage
        except MalformedCalls:
            TOOL_CALLS.labels(self._name, "failed").inc()
            return UpstreamBroke(self._name, "answered twice with a tool call that can't be read"), completion.usage


class _Answer:
    """One choice of a stream."""

    def __init__(self) -> None:
        self.parts = CallParts()
        self.end: dict[str, Any] | None = None
        """Its last choice, held back until its calls are checked."""
        self.has_text = False
        self.is_broken = False
        self.is_over = False

    def pass_on(self, choice: dict[str, Any]) -> dict[str, Any] | None:
        """What may be shown of a piece now."""
        delta = choice.get("delta") or {}
        if delta.get("tool_calls"):
            self.parts.add(delta["tool_calls"])
            delta = {key: value for key, value in delta.items() if key != "tool_calls"}
            choice = {**choice, "delta": delta}
        self.has_text = self.has_text or bool(delta.get("content"))
        if not self.parts.calls:
            return choice
        if choice.get("finish_reason"):
            self.end = choice
            return None
        return choice if any(value for key, value in delta.items() if key != "role") else None


def _answer_of(answers: dict[int, _Answer], choice: dict[str, Any]) -> _Answer:
    return answers.setdefault(choice.get("index", 0), _Answer())


def _checker(request: ChatRequest) -> Checker | None:
    tools = (request.model_extra or {}).get("tools")
    return Checker.of(tools) if isinstance(tools, list) and tools else None


def _rest(name: str, index: int, answer: _Answer, again: dict[str, Any] | UpstreamBroke) -> list[Piece]:
    """The rest of an answer whose calls were broken, from a second one; after text that was shown, its calls alone."""
    if isinstance(again, UpstreamBroke):
        raise again
    message = again.get("message") or {}
    calls = message.get("tool_calls")
    if answer.has_text:
        if not calls:
            raise UpstreamBroke(name, "began an answer with a tool call that can't be read, and then gave another")
        message = {}
    said = {key: value for key, value in message.items() if key not in ("role", "tool_calls") and value}
    pieces = [Piece(({"index": index, "delta": said, "finish_reason": None},))] if said else []
    return [
        *pieces,
        *([calls_piece(calls, index)] if calls else []),
        end_piece(again.get("finish_reason") or "stop", index),
    ]
