"""The first part of an answer: what arrives before anything is passed on, while another upstream can still be asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from contracts.core.errors import ErrorEnvelope
from contracts.models.chat import ChatRequest
from contracts.models.versions import ModelVersion
from gateway.chat.errors import FirstPieceTimeout
from gateway.streaming.errors import StreamBrokenOff
from gateway.usage.meter import MeteredCall
from servicekit.core.errors import (
    PeerError,
    ServiceError,
)
from servicekit.peers.client import Peer
from servicekit.streams.chunks import has_content, object_in
from servicekit.streams.sse import FrameCutter, MalformedStream, data_of, is_done, is_error

PATH = "/v1/chat/completions"
MOST_FRAMES = 64
"""FrameCutter without content after which a stream counts as begun: comments that keep it alive, roles."""
REFUSED = "content_filter"


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where an answer comes from."""

    peer: Peer
    token: str
    timeout_seconds: float
    """Longest wait for the next piece."""
    first_seconds: float
    """Longest wait for the first piece that says something."""
    hold: bool = True
    """Whether frames that say nothing yet are kept back, since another upstream can still be asked."""
    headers: Mapping[str, str] | None = None


@dataclass(slots=True)
class StartedAnswer:
    """An answer that has begun: whole in `body`, or a stream of which `frames` are there and more `pieces` come."""

    body: bytes = b""
    frames: list[bytes] = field(default_factory=list)
    pieces: AsyncGenerator[bytes] | None = None
    cutter: FrameCutter = field(default_factory=FrameCutter)
    refused: bool = False
    """Whether the model has refused to say anything."""


async def start_answer(
    call: MeteredCall, upstream: Upstream, request: ChatRequest, stack: AsyncExitStack
) -> StartedAnswer:
    """Ask, and wait for the whole answer, or for the first frame of a stream that says something.

    The stream ends with `stack`. Raises what went wrong, an error inside a 200 stream too: nothing is passed on yet.
    """
    if not request.stream:
        with call.waiting():
            answer = await upstream.peer.send(
                "POST",
                PATH,
                token=upstream.token,
                body=request,
                headers=upstream.headers,
                timeout_seconds=upstream.timeout_seconds,
            )
        call.answered_by = ModelVersion.of(answer.headers)
        return StartedAnswer(body=answer.body, refused=_refuses_whole(answer.body))
    call.streamed = True
    try:
        async with asyncio.timeout(upstream.first_seconds):
            return await _open_stream(call, upstream, request, stack)
    except TimeoutError:
        raise FirstPieceTimeout from None
    except MalformedStream:
        raise StreamBrokenOff from None


async def _open_stream(
    call: MeteredCall, upstream: Upstream, request: ChatRequest, stack: AsyncExitStack
) -> StartedAnswer:
    with call.waiting():
        stream = await stack.enter_async_context(
            upstream.peer.stream(
                "POST",
                PATH,
                token=upstream.token,
                body=request,
                headers=upstream.headers,
                timeout_seconds=upstream.timeout_seconds,
            )
        )
    call.answered_by = ModelVersion.of(stream.headers)
    pieces = await stack.enter_async_context(aclosing(call.pieces_of(stream)))
    opened = StartedAnswer(pieces=pieces)
    async for piece in pieces:
        new = opened.cutter.feed(piece)
        opened.frames += new
        for frame in new:
            if is_error(frame):
                raise error_in(frame)
            said = says_something(frame) if upstream.hold else "any"
            if said == REFUSED:
                opened.refused = True
            if said or is_done(frame):
                return opened
        if len(opened.frames) > MOST_FRAMES:
            return opened
    opened.cutter.close()
    raise StreamBrokenOff


def error_in(frame: bytes) -> ServiceError:
    """The error that an `event: error` holds."""
    try:
        error = ErrorEnvelope.model_validate_json(data_of(frame)).error
    except ValidationError:
        return StreamBrokenOff()
    return PeerError(STATUS_OF_TYPE[error.type], error)


def says_something(frame: bytes) -> str:
    """What a frame begins an answer with: `content`, `content_filter` for a refusal, empty for neither."""
    if frame.startswith(b":"):
        return ""
    chunk = object_in(data_of(frame))
    for choice in _list(chunk.get("choices")):
        if _refuses(choice, "delta"):
            return REFUSED
        if has_content(choice):
            return "content"
    return "content" if chunk.get("usage") or chunk.get("groundwork") else ""


def _refuses_whole(body: bytes) -> bool:
    if REFUSED.encode() not in body and b'"refusal":' not in body:
        return False
    choices = _list(object_in(body).get("choices"))
    return bool(choices) and all(_refuses(choice, "message") for choice in choices)


def _refuses(choice: dict[str, Any], part: str) -> bool:
    message = choice.get(part)
    message = message if isinstance(message, dict) else {}
    return bool(message.get("refusal")) or (choice.get("finish_reason") == REFUSED and not message.get("content"))


def _list(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


STATUS_OF_TYPE: Mapping[str, int] = {
    "invalid_request": 400,
    "authentication": 401,
    "permission": 403,
    "not_found": 404,
    "conflict": 409,
    "rate_limited": 429,
    "budget_exceeded": 429,
    "overloaded": 503,
    "internal": 500,
    "upstream_error": 502,
    "upstream_timeout": 504,
    "content_blocked": 400,
}
"""The status of an error that arrived as the first event of a stream."""
