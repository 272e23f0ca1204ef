"""Tools for upstream models that can't call them: asked for as JSON of a schema, and read back into tool calls.

Not every server holds its model to the schema, so each answer is checked. One that is malformed is repaired where that
is safe (fences, words around the JSON), else asked for once more, whole; then the call fails rather than hand on
arguments that don't fit.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import structlog

from contracts.models.chat import ChatRequest, Message
from inference.engines.wrappers.base import EngineWrapper
from inference.engines.wrappers.second_answer import BEFORE_THE_END, repeated_request, total_usage
from inference.errors import Unsupported, UpstreamBroke
from inference.metrics import TOOL_CALLS
from inference.protocol.engines import ChatEngine, Completion, Piece
from inference.protocol.pieces import calls_piece, end_piece, text_piece
from inference.requests.conversation import calls_in, render
from inference.requests.generation_request import read_schema
from inference.tool_calls.answer_schema import ANSWER, AnswerReader, ParsedAnswer, answer_schema
from inference.tool_calls.calls import FIELDS, MalformedCalls, Tools, read_tools

log = structlog.get_logger(__name__)
OTHERWISE = f'Otherwise answer with only JSON: {{"{ANSWER}": <your answer>}}.'


class ConstrainedTools(EngineWrapper):
    """A `ChatEngine` before another: calls tools for it. What has no tools passes as it is."""

    def __init__(self, name: str, inner: ChatEngine) -> None:
        super().__init__(inner)
        self._name = name

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer, its calls checked."""
        tools = read_tools(request.model_extra or {})
        asked = _translated(request, tools)
        completion = await self._inner.complete(asked)
        if tools is None:
            return completion
        usage, choices = completion.usage, []
        for choice in completion.choices:
            text, reason = _text(choice.get("message")), choice.get("finish_reason")
            answered, more = await self._read(asked, tools, text, reason)
            usage = total_usage(usage, more)
            message: dict[str, Any] = {"role": "assistant", "content": answered.text}
            if answered.calls:
                message["tool_calls"], reason = answered.calls, _reason_of_calls(reason)
            choices.append({**choice, "message": message, "finish_reason": reason})
        return Completion(tuple(choices), usage, completion.extra)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """Text as it comes; calls when they are complete and checked."""
        tools = read_tools(request.model_extra or {})
        asked = _translated(request, tools)
        async with aclosing(self._inner.stream(asked)) as pieces:
            if tools is None:
                async for piece in pieces:
                    yield piece
                return
            readers: dict[int, AnswerReader] = {}
            ended: dict[int, str] = {}
            usage: dict[str, Any] | None = None
            async for piece in pieces:
                usage = piece.usage or usage
                for choice in piece.choices:
                    index = choice.get("index", 0)
                    if shown := readers.setdefault(index, AnswerReader()).feed(_text(choice.get("delta"))):
                        yield text_piece(shown, index)
                    if reason := choice.get("finish_reason"):
                        ended[index] = reason
        again: dict[str, Any] | None = None
        for index, reason in ended.items():  # now that the stream's slot is free: a model may be asked once more
            answered, more = await self._read(asked, tools, readers[index].text, reason)
            again = total_usage(again, more)
            for end in _ending(answered, readers[index].shown, index, reason):
                yield end
        if (both := total_usage(usage, again)) is not None:
            yield Piece(usage=both)

    async def _read(
        self, asked: ChatRequest, tools: Tools, text: str, reason: str | None
    ) -> tuple[ParsedAnswer, dict[str, Any] | None]:
        """What an answer means; asks once more when it means nothing, and says what that cost."""
        cut = ParsedAnswer.cut_short(text, tools)
        if reason not in BEFORE_THE_END:
            return cut, None
        try:
            return ParsedAnswer.of(text, tools), None
        except MalformedCalls as error:
            if asked.stop and cut.text is not None:  # a stop string came before the end of the JSON
                return cut, None
            log.warning("tool call malformed", model=self._name, why=str(error))
        TOOL_CALLS.labels(self._name, "asked_again").inc()
        again = await self._inner.complete(repeated_request(asked))
        try:
            return ParsedAnswer.of(_text(again.choices[0].get("message")), tools), again.usage
        except MalformedCalls as error:
            TOOL_CALLS.labels(self._name, "failed").inc()
            log.warning("tool call malformed again", model=self._name, why=str(error))
            raise UpstreamBroke(self._name, "answered twice with a tool call that does not fit the tools") from None


def as_answered(request: ChatRequest) -> ChatRequest:
    """A conversation as the model gets it."""
    return _translated(request, read_tools(request.model_extra or {}))


def _translated(request: ChatRequest, tools: Tools | None) -> ChatRequest:
    """The request without tools: their schema as the answer's, their history as text."""
    if tools is not None and (request.model_extra or {}).get("logprobs"):
        raise Unsupported("logprobs", "Leave it out where there are tools: the model writes calls as JSON")
    messages = list(request.messages)
    if tools is not None or any(calls_in(number, m) or m.role == "tool" for number, m in enumerate(messages)):
        rendered = render(messages, tools.instruction(OTHERWISE) if tools else None)
        messages = [Message.model_validate(message) for message in rendered]
    body = request.model_dump(mode="json", exclude_unset=True, exclude={"messages", *FIELDS})
    body["messages"] = [message.model_dump(mode="json", exclude_unset=True) for message in messages]
    if tools is not None:
        schema = answer_schema(tools, read_schema(request.model_extra or {}))
        named = {"name": "answer", "schema": schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    return ChatRequest.model_validate(body)


def _text(part: object) -> str:
    """What a message or delta says. Content of another kind than text is no call and no answer of a schema."""
    content = part.get("content") if isinstance(part, dict) else None
    return content if isinstance(content, str) else ""


def _ending(answered: ParsedAnswer, shown: str, index: int, reason: str) -> list[Piece]:
    """What is still to be said of an answer of which a part was shown."""
    pieces = []
    rest = answered.text or ""
    if rest.startswith(shown) and len(rest) > len(shown):
        pieces.append(text_piece(rest[len(shown) :], index))
    if answered.calls:
        pieces.append(calls_piece(answered.calls, index))
        reason = _reason_of_calls(reason)
    return [*pieces, end_piece(reason, index)]


def _reason_of_calls(reason: str | None) -> str:
    """Why an answer with calls ended: they were called, or the last one was cut."""
    return "tool_calls" if reason is None or reason in BEFORE_THE_END else reason
