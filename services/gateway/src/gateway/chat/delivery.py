"""Carries a chat answer from an inner service to the client, streamed or whole, past a tap."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

from contracts.chat import ChatRequest
from gateway.chat.answer_start import Opened, Upstream, error_in, open_answer
from gateway.streaming.errors import StreamBrokenOff
from gateway.streaming.exchange import Exchange
from gateway.streaming.observer import Tap
from gateway.usage.meter import MeteredCall
from servicekit.core.errors import ServiceError
from servicekit.streams.sse import HEADERS, MEDIA_TYPE, MalformedStream, encode_error, is_done, is_error


async def answer_chat(
    exchange: Exchange, call: MeteredCall, upstream: Upstream, request: ChatRequest, tap: Tap
) -> None:
    """Ask the one upstream that there is, and pass its answer on."""
    async with AsyncExitStack() as stack:
        try:
            opened = await open_answer(call, upstream, request, stack)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                tap.cut_off()
            tap.close()
            raise
        await deliver(exchange, call, opened, tap)


async def deliver(exchange: Exchange, call: MeteredCall, opened: Opened, tap: Tap) -> ServiceError | None:
    """Pass an answer on. It is settled before its last byte goes out.

    From here on it is this answer or none: an error after the first byte becomes an event, and is returned.
    """
    try:
        if opened.pieces is None:
            body = await tap.whole(opened.body)
            await _finish(call, tap)
            await exchange.answer(200, {"content-type": "application/json"}, body)
            return None
        return await _streamed(exchange, call, opened, tap)
    except asyncio.CancelledError:
        tap.cut_off()
        raise
    finally:
        tap.close()


async def _streamed(exchange: Exchange, call: MeteredCall, opened: Opened, tap: Tap) -> ServiceError | None:
    failure = None
    try:
        await _pass_frames(exchange, call, opened, tap)
    except ServiceError as error:
        if not exchange.started:
            raise
        failure = error
        call.error_type = error.body(None).type
        await _finish(call, tap)
        await exchange.piece(encode_error(error, exchange.request_id))
    await exchange.end()
    return failure


async def _pass_frames(exchange: Exchange, call: MeteredCall, opened: Opened, tap: Tap) -> None:
    assert opened.pieces is not None
    complete = await _pass(exchange, call, opened.frames, tap)
    try:
        async for piece in opened.pieces:
            complete = await _pass(exchange, call, opened.cutter.feed(piece), tap) or complete
        opened.cutter.close()
    except MalformedStream:
        raise StreamBrokenOff from None
    if not complete:
        raise StreamBrokenOff


async def _pass(exchange: Exchange, call: MeteredCall, frames: Iterable[bytes], tap: Tap) -> bool:
    """Pass frames on; whether the end was among them."""
    out, complete = [], False
    for frame in frames:
        if is_done(frame):
            complete = True
            await _finish(call, tap)
            out.append(await tap.last())
        elif is_error(frame):
            await _send(exchange, call, b"".join(out))
            raise error_in(frame)
        out.append(await tap.frame(frame))
    await _send(exchange, call, b"".join(out))
    return complete


async def _send(exchange: Exchange, call: MeteredCall, data: bytes) -> None:
    if not data:
        return
    if not exchange.started:  # not before there is something to say: until then an error can still be a status
        call.first_piece()
        await exchange.start(200, {**HEADERS, "content-type": MEDIA_TYPE})
    await exchange.piece(data)


async def _finish(call: MeteredCall, tap: Tap) -> None:
    tap.close()
    await call.finish()
