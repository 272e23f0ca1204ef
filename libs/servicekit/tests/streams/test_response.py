from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Message

from servicekit.core.errors import NotReady
from servicekit.streams.response import OpenedStream

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"spec_version": "2.4"}}


class Source:
    """A stream of pieces, which notes what is done with it."""

    def __init__(self, *pieces: bytes, breaks: bool = False) -> None:
        self._pieces, self._breaks = pieces, breaks
        self.done: list[str] = []

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[AsyncIterator[bytes]]:
        self.done.append("opened")
        try:
            yield self._read()
        finally:
            self.done.append("closed")

    async def _read(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.done.append("read")
            yield piece
        if self._breaks:
            raise ZeroDivisionError


async def _answer(response: OpenedStream, *, leaves_at: int = 99) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the caller has nothing more to say")

    async def send(message: Message) -> None:
        if len(sent) >= leaves_at:
            raise OSError("the caller left")
        sent.append(message)

    await response(SCOPE, receive, send)
    return sent


async def test_what_is_streamed_is_opened_for_its_answer_and_closed_after_it() -> None:
    source = Source(b"a", b"b")
    response = OpenedStream(source.opening, "text/plain", 202)
    assert source.done == [], "making an answer opens nothing"
    start, *bodies = await _answer(response)
    assert (start["status"], b"".join(body["body"] for body in bodies)) == (202, b"ab")
    assert dict(start["headers"])[b"content-type"] == b"text/plain; charset=utf-8"
    assert source.done == ["opened", "read", "read", "closed"]


async def test_what_fails_while_it_opens_is_an_error_before_anything_was_answered() -> None:
    async def connect() -> None:
        raise NotReady("It is away.")

    @asynccontextmanager
    async def opening() -> AsyncIterator[AsyncIterator[bytes]]:
        await connect()
        yield Source(b"a")._read()

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(NotReady):
        await OpenedStream(opening, "text/plain")(SCOPE, None, send)  # type: ignore[arg-type]
    assert sent == []


@pytest.mark.parametrize("leaves_at", [0, 1, 2])
async def test_a_caller_that_leaves_at_any_time_leaves_nothing_open(leaves_at: int) -> None:
    source = Source(b"a", b"b")
    with pytest.raises(Exception, match=r".*"):
        await _answer(OpenedStream(source.opening, "text/plain"), leaves_at=leaves_at)
    assert (source.done[0], source.done[-1]) == ("opened", "closed")


async def test_a_source_that_breaks_in_the_middle_is_closed_too() -> None:
    source = Source(b"a", breaks=True)
    with pytest.raises(ZeroDivisionError):
        await _answer(OpenedStream(source.opening, "text/plain"))
    assert source.done == ["opened", "read", "closed"]
