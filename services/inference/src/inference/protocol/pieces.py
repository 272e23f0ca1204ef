"""Pieces of answers in OpenAI's terms, and whole answers put together from them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from inference.protocol.engines import Completion, Piece

Logprobs = list[dict[str, Any]]
"""What is known of each token: `token`, `logprob`, `bytes`, `top_logprobs`."""


def usage_of(prompt: int, completion: int) -> dict[str, Any]:
    """OpenAI's `usage`."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def text_piece(text: str, index: int = 0, logprobs: Logprobs | None = None) -> Piece:
    """A piece of an answer's text."""
    return _piece(index, {"content": text}, None, logprobs)


def calls_piece(calls: Sequence[dict[str, Any]], index: int = 0, logprobs: Logprobs | None = None) -> Piece:
    """An answer's tool calls, whole."""
    numbered = [{"index": number, **call} for number, call in enumerate(calls)]
    return _piece(index, {"tool_calls": numbered}, None, logprobs)


def end_piece(reason: str, index: int = 0, logprobs: Logprobs | None = None) -> Piece:
    """The end of one answer."""
    return _piece(index, {}, reason, logprobs)


def usage_piece(usage: dict[str, Any]) -> Piece:
    """The end of all answers."""
    return Piece(usage=usage)


def _piece(index: int, delta: dict[str, Any], reason: str | None, logprobs: Logprobs | None) -> Piece:
    choice: dict[str, Any] = {"index": index, "delta": delta, "finish_reason": reason}
    if logprobs is not None:
        choice["logprobs"] = {"content": logprobs, "refusal": None}
    return Piece(choices=(choice,))


class _Choice:
    def __init__(self) -> None:
        self.text: list[str] = []
        self.calls: list[dict[str, Any]] = []
        self.reason: str | None = None
        self.logprobs: Logprobs | None = None

    def add(self, choice: dict[str, Any]) -> None:
        delta = choice["delta"]
        self.text.append(delta.get("content") or "")
        self.calls += [{key: call[key] for key in call if key != "index"} for call in delta.get("tool_calls") or ()]
        self.reason = choice["finish_reason"] or self.reason
        if "logprobs" in choice:
            self.logprobs = (self.logprobs or []) + choice["logprobs"]["content"]

    def whole(self, index: int) -> dict[str, Any]:
        text = "".join(self.text)
        message: dict[str, Any] = {"role": "assistant", "content": text if text or not self.calls else None}
        if self.calls:
            message["tool_calls"] = self.calls
        logprobs = None if self.logprobs is None else {"content": self.logprobs, "refusal": None}
        return {"index": index, "message": message, "finish_reason": self.reason, "logprobs": logprobs}


async def collect(pieces: AsyncGenerator[Piece, None]) -> Completion:
    """The whole of a stream whose tool calls come whole."""
    choices: dict[int, _Choice] = {}
    usage: dict[str, Any] | None = None
    async with aclosing(pieces):
        async for piece in pieces:
            for choice in piece.choices:
                choices.setdefault(choice["index"], _Choice()).add(choice)
            usage = piece.usage or usage
    return Completion(choices=tuple(choices[index].whole(index) for index in sorted(choices)), usage=usage)
