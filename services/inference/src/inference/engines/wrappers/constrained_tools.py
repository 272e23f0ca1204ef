"""Tools for upstream models that can't call them: asked for as JSON of a schema, and read back into tool calls.

Not every server holds its model to the schema. What is around the JSON is left out (fences, words); a call passes as
far as it can be read, and what is none passes as text. The model is never asked again here: only the gateway retries.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from contracts.models.chat import ChatRequest, Message
from inference.engines.wrappers.base import EngineWrapper
from inference.errors import Unsupported
from inference.metrics import TOOL_CALLS
from inference.protocol.engines import ChatEngine, Completion, Piece
from inference.protocol.pieces import calls_piece, end_piece, text_piece
from inference.requests.conversation import calls_in, render
from inference.requests.generation_request import read_schema
from inference.tool_calls.answer_schema import ANSWER, AnswerReader, ParsedAnswer, answer_schema
from inference.tool_calls.call_parts import is_object
from inference.tool_calls.calls import COMPLETE, FIELDS, Tools, read_tools

OTHERWISE = f'Otherwise answer with only JSON: {{"{ANSWER}": <your answer>}}.'


class ConstrainedTools(EngineWrapper):
    """A `ChatEngine` before another: calls tools for it. What has no tools passes as it is."""

    def __init__(self, name: str, inner: ChatEngine) -> None:
        super().__init__(inner)
        self._name = name

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer."""
        tools = read_tools(request.model_extra or {})
        asked = _translated(request, tools)
        completion = await self._inner.complete(asked)
        if tools is None:
            return completion
        choices = []
        for choice in completion.choices:
            text, reason = _text(choice.get("message")), choice.get("finish_reason")
            answered = self._read(tools, text, reason)
            message: dict[str, Any] = {"role": "assistant", "content": answered.text}
            if answered.calls:
                message["tool_calls"], reason = answered.calls, _reason_of_calls(reason)
            choices.append({**choice, "message": message, "finish_reason": reason})
        return Completion(tuple(choices), completion.usage, completion.extra)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        """Text as it comes; calls when they are complete."""
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
        for index, reason in ended.items():
            answered = self._read(tools, readers[index].text, reason)
            for end in _ending(answered, readers[index].shown, index, reason):
                yield end
        if usage is not None:
            yield Piece(usage=usage)

    def _read(self, tools: Tools, text: str, reason: str | None) -> ParsedAnswer:
        """What an answer means."""
        if reason not in COMPLETE:
            return ParsedAnswer.cut_short(text, tools)
        answered = ParsedAnswer.of(text, tools)
        for call in answered.calls:
            form = "as_written" if is_object(call["function"]["arguments"]) else "malformed"
            TOOL_CALLS.labels(self._name, form).inc()
        return answered


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
    return "tool_calls" if reason is None or reason in COMPLETE else reason
