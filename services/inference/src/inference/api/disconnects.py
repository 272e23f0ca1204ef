"""Callers that leave: their work is stopped, whether their answer streams or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from inference.serving.chat import ChatStream
from servicekit.core.errors import InvalidRequest
from servicekit.streams import sse

log = structlog.get_logger(__name__)
Result = TypeVar("Result")


class CallerLeft(InvalidRequest):
    """The connection was closed by the other side. Nobody reads this; the access log and metrics show it."""

    status, code = 499, "caller_left"

    def __init__(self) -> None:
        super().__init__("The caller closed the connection before the answer was there.")


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The work's result; if the caller leaves first, the work is cancelled and `CallerLeft` raised."""
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request.receive))
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise CallerLeft
    finally:
        await _end(task)
        await _end(leaving)


class ReaderStuck(Exception):
    """The caller keeps its connection open and reads nothing."""


class EventStream(StreamingResponse):
    """A `ChatStream` as the answer. However it ends, the model's work ends with it.

    A caller that reads nothing for `reader_seconds` has its connection closed: it would hold a place for ever.
    """

    def __init__(self, stream: ChatStream, reader_seconds: float) -> None:
        super().__init__(stream.frames(), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)
        self._stream = stream
        self._reader_seconds = reader_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; the base class stops sending when the caller leaves."""

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._reader_seconds):
                    await send(message)
            except TimeoutError:
                raise ReaderStuck from None

        try:
            await super().__call__(scope, receive, send_in_time)
        except ReaderStuck:
            log.warning("a caller did not read its answer", seconds=self._reader_seconds)
        finally:
            await asyncio.shield(self._stream.close())


async def _left(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
