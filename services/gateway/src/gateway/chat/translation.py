"""OpenAI's other calls told as chats and back, so that limits, guardrails, cache and ledger know one kind only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from starlette.types import Receive, Scope, Send

from contracts.models.chat import ChatRequest
from gateway.streaming.exchange import Exchange
from servicekit.streams.sse import FrameCutter


class Translation(Protocol):
    """One call of another kind, while it is answered as a chat."""

    def question(self, body: bytes) -> ChatRequest:
        """The chat request that a body means; raises what is wrong with it in the words of its own kind."""
        ...

    def whole(self, body: bytes) -> bytes:
        """A whole chat completion in its own kind."""
        ...

    def answer_id(self, chat_id: str) -> str:
        """The id that the caller sees of an answer."""
        ...

    def frame(self, frame: bytes) -> bytes:
        """A frame of a chat's stream as frames of its own kind; empty where there is nothing to say."""
        ...


class TranslatedExchange(Exchange):
    """An exchange whose caller speaks another of OpenAI's kinds than chat."""

    def __init__(self, translation: Translation, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self.translation = translation
        self._cutter = FrameCutter()

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole chat answer, in the caller's form."""
        await super().answer(status, headers, self.translation.whole(body))

    async def piece(self, data: bytes) -> None:
        """A piece of a chat's stream, in the caller's form."""
        piece = b"".join(self.translation.frame(frame) for frame in self._cutter.feed(data))
        if piece:
            await super().piece(piece)
