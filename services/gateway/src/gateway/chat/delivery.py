"""Carries a chat answer from an inner service to the client, streamed or whole, past its observers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

from contracts.models.chat import ChatRequest
from gateway.chat.answer_start import StartedAnswer, Upstream, error_in, start_answer
from gateway.streaming.errors import StreamBrokenOff
from gateway.streaming.exchange import Exchange
from gateway.streaming.observer import StreamObserver
from gateway.usage.meter import MeteredCall
from servicekit.core.errors import ServiceError
from servicekit.streams.sse import HEADERS, MEDIA_TYPE, MalformedStream, encode_error, is_done, is_error


async def answer_chat(
    exchange: Exchange, call: MeteredCall, upstream: Upstream, request: ChatRequest, observer: StreamObserver
) -> None:
    """Ask the one upstream that there is, and pass its answer on."""
    async with AsyncExitStack() as stack:
        try:
            opened = await start_answer(call, upstream, request, stack)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                observer.cut_off()
            observer.close()
            raise
        await deliver(exchange, call, opened, observer)


async def deliver(
    exchange: Exchange, call: MeteredCall, opened: StartedAnswer, observer: StreamObserver
) -> ServiceError | None:
    """Pass an answer on. It is settled before its last byte goes out.

    From here on it is this answer or none: an error after the first byte becomes an event, and is returned.
    """
    try:
        if opened.pieces is None:
            body = await observer.whole(opened.body)
            await _finish(call, observer)
            await exchange.answer(200, {"content-type": "application/json"}, body)
            return None
        return await _streamed(exchange, call, opened, observer)
    except asyncio.CancelledError:
        observer.cut_off()
        raise
    finally:
        observer.close()


async def _streamed(
    exchange: Exchange, call: MeteredCall, opened: StartedAnswer, observer: StreamObserver
) -> ServiceError | None:
    failure = None
    try:
        await _pass_frames(exchange, call, opened, observer)
    except ServiceError as error:
        if not exchange.started:
            raise
        failure = error
        call.error_type = error.body(None).type
        await _finish(call, observer)
        await exchange.piece(encode_error(error, exchange.request_id))
    await exchange.end()
    return failure


async def _pass_frames(exchange: Exchange, call: MeteredCall, opened: StartedAnswer, observer: StreamObserver) -> None:
    assert opened.pieces is not None
    complete = await _pass(exchange, call, opened.frames, observer)
    try:
        async for piece in opened.pieces:
            complete = await _pass(exchange, call, opened.cutter.feed(piece), observer) or complete
        opened.cutter.close()
    except MalformedStream:
        raise StreamBrokenOff from None
    if not complete:
        raise StreamBrokenOff


async def _pass(exchange: Exchange, call: MeteredCall, frames: Iterable[bytes], observer: StreamObserver) -> bool:
    """Pass frames on; whether the end was among them."""
    out, complete = [], False
    for frame in frames:
        if is_done(frame):
            complete = True
            await _finish(call, observer)
            out.append(await observer.last())
        elif is_error(frame):
            await _send(exchange, call, b"".join(out))
            error = error_in(frame)
            call.reported = error.usage
            raise error
        out.append(await observer.frame(frame))
    await _send(exchange, call, b"".join(out))
    return complete


async def _send(exchange: Exchange, call: MeteredCall, data: bytes) -> None:
    if not data:
        return
    if not exchange.started:  # not before there is something to say: until then an error can still be a status
        call.first_piece()
        await exchange.start(200, {**HEADERS, "content-type": MEDIA_TYPE})
    await exchange.piece(data)


async def _finish(call: MeteredCall, observer: StreamObserver) -> None:
    observer.close()
    await call.finish()
