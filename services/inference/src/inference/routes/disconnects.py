"""Callers that leave: their work is stopped, whether their answer streams or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from inference.chat import ChatStream
from servicekit import sse
from servicekit.errors import InvalidRequest

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


class EventStream(StreamingResponse):
    """A `ChatStream` as the answer. However it ends, the model's work ends with it."""

    def __init__(self, stream: ChatStream) -> None:
        super().__init__(stream.frames(), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; the base class stops sending when the caller leaves."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.shield(self._stream.close())


async def _left(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
