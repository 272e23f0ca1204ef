from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

from starlette.types import Message

from contracts.models.versions import ModelVersion
from inference.api.event_stream import EventStream
from inference.serving.chat import ChatStream

SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "method": "POST",
    "path": "/",
    "headers": [],
}


class FakeStream:
    """Two frames, and whether its work was ended."""

    version = ModelVersion("talker", fingerprint="12ab")

    def __init__(self) -> None:
        self.is_closed = False

    async def frames(self) -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        yield b"data: 2\n\n"

    async def close(self) -> None:
        self.is_closed = True


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_stream_is_sent_whole_and_its_work_ended() -> None:
    stream, sent = FakeStream(), list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    await EventStream(cast("ChatStream", stream), 60)(SCOPE, _never, send)
    assert b"".join(message.get("body", b"") for message in sent) == b"data: 1\n\ndata: 2\n\n"
    assert stream.is_closed


async def test_a_caller_that_reads_nothing_loses_its_stream() -> None:
    stream = FakeStream()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    await EventStream(cast("ChatStream", stream), 0.01)(SCOPE, _never, send)
    assert stream.is_closed
