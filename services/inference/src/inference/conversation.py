"""What an in-process engine is asked to do: read from a chat request, refusing what it can't do."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from contracts.chat import ChatRequest, Message
from inference.errors import ContextExceeded, ToolsUnsupported, Unsupported
from inference.ports import Completion, Piece
from servicekit.errors import InvalidRequest

MAX_STOPS = 16
HARMLESS = frozenset(
    ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "parallel_tool_calls")
)
"""Fields that change nothing about the answer of a model that knows nothing of them."""
NEUTRAL: dict[str, tuple[object, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
"""Values that ask for nothing."""


class ContentUnsupported(InvalidRequest):
    """A message holds something other than text."""

    code = "content_unsupported"

    def __init__(self, number: int, kind: str) -> None:
        super().__init__(
            f"This model reads text only; message {number} holds a part of type '{kind[:64]}'.",
            param=f"messages.{number}.content",
        )


@dataclass(frozen=True, slots=True)
class Order:
    """One answer to be made. `temperature` 0 takes the likeliest token each time; `seed` None is random."""

    messages: tuple[dict[str, str], ...]
    max_tokens: int | None
    temperature: float
    top_p: float
    seed: int | None
    stops: tuple[str, ...]


def read_order(request: ChatRequest) -> Order:
    """The order in a request; raises 400 for what would otherwise be ignored."""
    if (request.n or 1) > 1:
        raise Unsupported("n", "Ask for one answer at a time")
    for name, value in (request.model_extra or {}).items():
        if value is None or name in HARMLESS or value in NEUTRAL.get(name, ()):
            continue
        if name in ("tools", "tool_choice", "functions", "function_call"):
            raise ToolsUnsupported(name)
        raise Unsupported(name)
    stops = (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
    if len(stops) > MAX_STOPS:
        raise InvalidRequest(f"At most {MAX_STOPS} stop strings are taken.", param="stop")
    return Order(
        messages=tuple(_plain(number, message) for number, message in enumerate(request.messages)),
        max_tokens=request.max_completion_tokens or request.max_tokens,
        temperature=request.temperature or 0.0,
        top_p=1.0 if request.top_p is None else request.top_p,
        seed=request.seed,
        stops=stops,
    )


def room_for_answer(prompt_tokens: int, context_length: int, asked: int | None, usual: int) -> int:
    """How many tokens the answer may have: what was asked for (else `usual`), within the context.

    Raises `ContextExceeded` when the prompt leaves no room.
    """
    if prompt_tokens >= context_length:
        raise ContextExceeded(prompt_tokens, context_length)
    return min(asked or usual, context_length - prompt_tokens)


def usage_of(prompt: int, completion: int) -> dict[str, Any]:
    """OpenAI's `usage`."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def text_piece(text: str) -> Piece:
    """A piece of the one answer's text."""
    return Piece(choices=({"index": 0, "delta": {"content": text}, "finish_reason": None},))


def last_piece(reason: str, usage: dict[str, Any]) -> Piece:
    """The end of the one answer."""
    return Piece(choices=({"index": 0, "delta": {}, "finish_reason": reason},), usage=usage)


async def collect(pieces: AsyncGenerator[Piece, None]) -> Completion:
    """The whole of a one-answer stream."""
    text: list[str] = []
    reason: str | None = None
    usage: dict[str, Any] | None = None
    async with aclosing(pieces):
        async for piece in pieces:
            for choice in piece.choices:
                text.append(choice["delta"].get("content") or "")
                reason = choice["finish_reason"] or reason
            usage = piece.usage or usage
    message = {"role": "assistant", "content": "".join(text)}
    return Completion(choices=({"index": 0, "message": message, "finish_reason": reason},), usage=usage)


def _plain(number: int, message: Message) -> dict[str, str]:
    if isinstance(message.content, list):
        for part in message.content:
            if part.type != "text":
                raise ContentUnsupported(number, part.type)
    if (message.model_extra or {}).get("tool_calls"):
        raise ToolsUnsupported(f"messages.{number}.tool_calls")
    role = "system" if message.role == "developer" else message.role
    return {"role": role, "content": message.plain_text()}
