"""Carries a chat answer from an inner service to the client, streamed or whole, past a tap."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from pydantic import ValidationError

from contracts.chat import ChatRequest
from contracts.errors import ErrorEnvelope
from gateway.errors import STATUS_OF_TYPE
from gateway.forwarding import Exchange
from gateway.frames import Frames, data_of, is_done, is_error
from gateway.metering import MeteredCall
from gateway.taps import Tap
from servicekit.errors import PeerError, ServiceError, UpstreamFailed
from servicekit.http import Peer, PeerStream
from servicekit.sse import HEADERS, MEDIA_TYPE, MalformedStream, encode_error

PATH = "/v1/chat/completions"


class StreamBrokenOff(UpstreamFailed):
    """A stream ended without its end."""

    code = "stream_broken_off"

    def __init__(self) -> None:
        super().__init__("The answer broke off before its end. What has arrived is not complete; ask again.")


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where an answer comes from."""

    peer: Peer
    token: str
    timeout_seconds: float


async def answer_chat(
    exchange: Exchange, call: MeteredCall, upstream: Upstream, request: ChatRequest, tap: Tap
) -> None:
    """Ask, and pass the answer on. A call inside another is committed before its last byte goes out."""
    try:
        if request.stream:
            await _streamed(exchange, call, upstream, request, tap)
        else:
            await _whole(exchange, call, upstream, request, tap)
    except asyncio.CancelledError:
        tap.cut_off()
        raise
    finally:
        tap.close()


async def _whole(exchange: Exchange, call: MeteredCall, upstream: Upstream, request: ChatRequest, tap: Tap) -> None:
    with call.waiting():
        answer = await upstream.peer.send(
            "POST", PATH, token=upstream.token, body=request, timeout_seconds=upstream.timeout_seconds
        )
    body = await tap.whole(answer.body)
    await _finish(call, tap)
    await exchange.answer(200, {"content-type": "application/json"}, body)


async def _streamed(exchange: Exchange, call: MeteredCall, upstream: Upstream, request: ChatRequest, tap: Tap) -> None:
    call.streamed = True
    async with AsyncExitStack() as stack:
        with call.waiting():
            stream = await stack.enter_async_context(
                upstream.peer.stream(
                    "POST", PATH, token=upstream.token, body=request, timeout_seconds=upstream.timeout_seconds
                )
            )
        try:
            await _pass_frames(exchange, call, stream, tap)
        except ServiceError as error:
            if not exchange.started:
                raise
            call.error_type = error.body(None).type
            await exchange.piece(encode_error(error, exchange.request_id))
    await exchange.end()


async def _pass_frames(exchange: Exchange, call: MeteredCall, stream: PeerStream, tap: Tap) -> None:
    frames, complete = Frames(), False
    try:
        async with aclosing(call.pieces_of(stream)) as pieces:
            async for piece in pieces:
                out = b""
                for frame in frames.feed(piece):
                    if is_done(frame):
                        complete = True
                        await _finish(call, tap)
                    elif is_error(frame):
                        raise _error_in(frame)
                    out += await tap.frame(frame)
                if out:
                    await _pass(exchange, call, out)
        frames.close()
    except MalformedStream:
        raise StreamBrokenOff from None
    if not complete:
        raise StreamBrokenOff


async def _pass(exchange: Exchange, call: MeteredCall, out: bytes) -> None:
    if not exchange.started:  # not before there is something to say: until then an error can still be a status
        call.first_piece()
        await exchange.start(200, {**HEADERS, "content-type": MEDIA_TYPE})
    await exchange.piece(out)


async def _finish(call: MeteredCall, tap: Tap) -> None:
    """Settle before the last byte: who waits for it finds the call's place free, and a call inside another counted."""
    tap.close()
    await call.finish()


def _error_in(frame: bytes) -> ServiceError:
    try:
        error = ErrorEnvelope.model_validate_json(data_of(frame)).error
    except ValidationError:
        return StreamBrokenOff()
    return PeerError(STATUS_OF_TYPE[error.type], error)
