"""A streamed chat as an HTTP answer: the model's work ends with it, however it ends."""

from __future__ import annotations

import asyncio

import structlog
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from inference.serving.chat import ChatStream
from servicekit.streams import sse

log = structlog.get_logger(__name__)


class ReaderStuck(Exception):
    """The caller keeps its connection open and reads nothing."""


class EventStream(StreamingResponse):
    """A `ChatStream` as the answer. However it ends, the model's work ends with it.

    A caller that reads nothing for `reader_seconds` has its connection closed: it would hold a slot for ever.
    """

    def __init__(self, stream: ChatStream, reader_seconds: float) -> None:
        headers = {**sse.HEADERS, **stream.version.headers()}
        super().__init__(stream.frames(), media_type=sse.MEDIA_TYPE, headers=headers)
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
