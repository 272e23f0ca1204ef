"""`POST /v1/responses`, told as a chat. Nothing is kept."""

from __future__ import annotations

import json

from contracts.models.chat import ChatRequest
from contracts.models.responses import ResponseRequest
from gateway.chat.responses.events import Events
from gateway.chat.responses.output import response_id
from gateway.chat.responses.request import as_chat, read
from servicekit.streams.sse import data_of, is_done, is_error


class Responses:
    """A `Translation`."""

    def __init__(self) -> None:
        self._events: Events | None = None
        self._request: ResponseRequest | None = None

    def question(self, body: bytes) -> ChatRequest:
        """The items as messages."""
        self._request = read(body)
        chat = as_chat(self._request)
        self._events = Events(self._request, chat)
        return chat

    def whole(self, body: bytes) -> bytes:
        """As a `response`."""
        events = self._made()
        events.feed(json.loads(body), "message")
        return json.dumps(events.finish(), ensure_ascii=False, separators=(",", ":")).encode()

    def answer_id(self, chat_id: str) -> str:
        """As a response's."""
        return response_id(chat_id)

    def frame(self, frame: bytes) -> bytes:
        """Chunks as events; comments pass as they are."""
        events = self._made()
        if frame.startswith(b":"):
            return frame
        if is_error(frame):
            events.fail(json.loads(data_of(frame))["error"])
        elif is_done(frame):
            events.finish()
        else:
            events.feed(json.loads(data_of(frame)), "delta")
        return events.take()

    def _made(self) -> Events:
        assert self._events is not None, "a question comes before its answer"
        return self._events
