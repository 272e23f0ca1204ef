"""Spans of a chat call: kinds and tokens always; by opt-in its content, as the key's guardrails leave it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from contracts.access.guardrails import Guardrails
from contracts.models.catalog import AGENT
from contracts.models.chat import ChatRequest
from gateway.guardrails.screen import kept
from gateway.records.answer import Answer, answer_in
from gateway.records.recording import RecordObserver
from gateway.streaming.exchange import Exchange
from gateway.streaming.observer import StreamObserver
from gateway.usage.meter import MeteredCall
from servicekit.telemetry.spans import CHAIN, OPENINFERENCE_KIND, Span, captures_content, usage

MOST_CHARS = 16_000
"""Of what one attribute holds; a little less than what the tracer cuts off, which would leave half a JSON value."""
MOST_MESSAGES = 40
"""The last ones of a conversation."""
MOST_ANSWER_BYTES = 1024 * 1024
"""Of an answer's frames; what follows is not shown."""
HALF_CHARS = 200
"""What goes with a cut: half an address or number would not be found by a guardrail."""
_ROLES = {"developer": "system", "function": "tool"}
Json = dict[str, Any]


class _ContentSpan:
    """A span that watches an answer as it goes out."""

    def __init__(self, span: Span, call: MeteredCall) -> None:
        self.span = span
        self._call = call
        self._captures = span.context is not None and captures_content()
        self._streamed = False
        self._frames: list[bytes] = []
        self._size = 0

    def watch(self, observer: StreamObserver, request: ChatRequest) -> StreamObserver:
        """The observer, and around it this span where content is wanted."""
        self._streamed = request.stream
        return RecordObserver(observer, self) if self._captures else observer

    def begin(self) -> None:
        """Forget what an attempt before has said."""
        self._frames, self._size = [], 0

    def keep(self, piece: bytes) -> None:
        """Keep a piece of the answer, within `MOST_ANSWER_BYTES`."""
        self._size += len(piece)
        if self._captures and self._size <= MOST_ANSWER_BYTES:
            self._frames.append(piece)

    def _answer(self) -> Answer | None:
        return answer_in(self._frames, streamed=self._streamed) if self._frames else None

    def _clean(self, value: Json) -> Json:
        """As both sides of the guardrails leave it: what a model reads may quote a document."""
        rules: Guardrails = self._call.principal.guardrails
        return cast("Json", kept(kept(_cut(value, MOST_CHARS), rules.input), rules.output))

    def _set_content(self, side: str, text: str) -> None:
        self.span.set({f"{side}.value": self._clean({"text": text})["text"], f"{side}.mime_type": "text/plain"})


class CallSpan(_ContentSpan):
    """The span of a public call: the root of its trace, unless the caller has one."""

    def __init__(self, exchange: Exchange, call: MeteredCall, request: ChatRequest) -> None:
        """`request`: what guardrails have left of it."""
        super().__init__(exchange.span, call)
        agent = {OPENINFERENCE_KIND: "AGENT"} if request.model.startswith(AGENT) else CHAIN
        self.span.set({**agent, "groundwork.model": request.model[:200]})
        if self._captures:
            self._set_content("input", request.question())

    def replayed(self, request: ChatRequest, pieces: Iterable[bytes]) -> None:
        """The answer is one that was kept."""
        self._streamed = request.stream
        for piece in pieces:
            self.keep(piece)

    def end(self) -> None:
        """Add the answer, as far as it went out."""
        if (answer := self._answer()) is not None:
            self._set_content("output", _text(_said(answer)))


class ModelSpan(_ContentSpan):
    """The span of one attempt at a model: the one place of its tokens, so that viewers count them once."""

    def watch(self, observer: StreamObserver, request: ChatRequest) -> StreamObserver:
        """The observer as it is, or with this span around it; the request's sampling and, where wanted, messages."""
        most = request.max_completion_tokens or request.max_tokens
        asked = {"gen_ai.request.max_tokens": most, "gen_ai.request.temperature": request.temperature}
        self.span.set({**asked, "gen_ai.request.stream": request.stream, "groundwork.attempt": self._call.attempt})
        if self._captures:
            last = request.messages[-MOST_MESSAGES:]
            messages = [message.model_dump(mode="json", exclude_unset=True) for message in last]
            self.span.set({"gen_ai.input.messages": self._encoded([_message(message) for message in messages])})
            self._set_content("input", last[-1].plain_text() if last else "")
        return super().watch(observer, request)

    def began(self, seconds: float) -> None:
        """The answer, or its first piece that says something, has arrived."""
        if self._streamed:
            self.span.set({"gen_ai.response.time_to_first_chunk": seconds})

    def end(self) -> None:
        """Add tokens and, where wanted, the answer."""
        self.span.set(usage(self._call.tokens.prompt, self._call.tokens.completion))
        if (answer := self._answer()) is None:
            return
        said = _said(answer)
        shown = {**said, "finish_reason": answer.finish_reason or "stop"}
        self.span.set({"gen_ai.output.messages": self._encoded([shown])})
        self._set_content("output", _text(said))

    def _encoded(self, messages: Sequence[Json]) -> str | None:
        """Messages as JSON that is whole, their texts cut as short as it takes; None where nothing helps."""
        clean = self._clean({"messages": messages})["messages"]
        room = MOST_CHARS
        while room:
            text = json.dumps(_cut(clean, room, 0), ensure_ascii=False)
            if len(text) <= MOST_CHARS:
                return text
            room //= 2
        return None


def _said(answer: Answer) -> Json:
    """An answer as a message, with the tools that it calls."""
    calls = [{"id": call["id"], "function": call} for call in answer.tool_calls]
    return _message({"role": "assistant", "content": answer.text, "tool_calls": calls})


def _text(message: Json) -> str:
    """A message's words, or its tool calls where it has none, which viewers would show as no answer."""
    words = [part["content"] for part in message["parts"] if part["type"] == "text"]
    return words[0] if words else json.dumps(message["parts"], ensure_ascii=False)


def _message(message: Mapping[str, Any]) -> Json:
    """A message of OpenAI's in the form of OpenTelemetry's conventions."""
    role, content = _ROLES.get(message["role"], message["role"]), message.get("content")
    texts = [content] if isinstance(content, str) else [part.get("text") for part in content or ()]
    text = "\n".join(one for one in texts if isinstance(one, str))
    parts: list[Json] = []
    if role == "tool":
        parts.append({"type": "tool_call_response", "id": message.get("tool_call_id"), "response": text})
    elif text:
        parts.append({"type": "text", "content": text})
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        named = {"name": function.get("name") or "", "arguments": function.get("arguments")}
        parts.append({"type": "tool_call", "id": call.get("id"), **named})
    return {"role": role, "parts": parts}


def _cut(value: Any, room: int, half: int = HALF_CHARS) -> Any:
    """A JSON value whose texts have at most so many characters; what is cut off takes `half` more with it."""
    if isinstance(value, str):
        return value if len(value) <= room else value[: max(0, room - half)]
    if isinstance(value, dict):
        return {name: _cut(one, room, half) for name, one in value.items()}
    return [_cut(one, room, half) for one in value] if isinstance(value, list) else value
