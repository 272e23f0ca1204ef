"""A chat engine that answers as a test says."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from contracts.models.chat import ChatRequest
from inference.protocol.engines import Completion, Piece
from inference.protocol.tokens import TokenCodec

USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}


class FakeEngine:
    """A `ChatEngine` that gives one text after another, whole or by the character; keeps what it was asked."""

    def __init__(self, *texts: str | dict[str, Any]) -> None:
        self._texts = list(texts)
        self.requests: list[ChatRequest] = []
        self.log: list[str] = []

    async def open(self) -> None:
        self.log.append("open")

    async def close(self) -> None:
        self.log.append("close")

    async def probe(self) -> None:
        self.log.append("probe")

    def tokenizer(self) -> bytes | None:
        return b"{}"

    def tokens(self) -> TokenCodec | None:
        return None

    def _next(self, request: ChatRequest) -> dict[str, Any]:
        self.requests.append(request)
        answer = self._texts.pop(0)
        return {"content": answer} if isinstance(answer, str) else answer

    async def complete(self, request: ChatRequest) -> Completion:
        message = {"role": "assistant", **self._next(request)}
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        return Completion(({"index": 0, "message": message, "finish_reason": reason},), dict(USAGE))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Piece, None]:
        message = self._next(request)
        for character in message.get("content") or "":
            yield Piece(({"index": 0, "delta": {"content": character}, "finish_reason": None},))
        for call in message.get("tool_calls") or ():
            yield Piece(({"index": 0, "delta": {"tool_calls": [{"index": 0, **call}]}, "finish_reason": None},))
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        yield Piece(({"index": 0, "delta": {}, "finish_reason": reason},), dict(USAGE))


def asked(**more: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **more})


async def streamed(pieces: AsyncGenerator[Piece, None]) -> tuple[str, list[dict[str, Any]], int]:
    """The text, the calls and the tokens of a stream."""
    text, calls, tokens = "", [], 0
    async for piece in pieces:
        tokens = (piece.usage or {}).get("total_tokens", tokens)
        for choice in piece.choices:
            text += choice["delta"].get("content") or ""
            calls += choice["delta"].get("tool_calls") or []
    return text, calls, tokens
