"""What a connection may cost before a request is whole, on a wire in memory. Real connections are the contract's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from contracts.core.errors import ErrorEnvelope
from servicekit.web.http_protocol import HEAD_SECONDS, MOST_UNREAD, BoundedProtocol

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: x\r\n"
REFUSED = b"HTTP/1.1 400 "


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ends: list[str] = []

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.ends.append("closed")

    def abort(self) -> None:
        self.ends.append("aborted")

    def is_closing(self) -> bool:
        return bool(self.ends)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Answering:
    """An app that begins its answers, and ends them when it may."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.began, self.may_end = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        self.began.set()
        await self.may_end.wait()
        await send({"type": "http.response.body", "body": b"done"})


def _connect(app: Any = None) -> tuple[BoundedProtocol, Wire]:
    config = Config(app or Answering(), http=BoundedProtocol, log_config=None, lifespan="off", ws="none")
    protocol, wire = BoundedProtocol(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def _turn() -> None:
    """Until what was written in this turn of the loop is on the wire."""
    for _ in range(3):
        await asyncio.sleep(0)


def _code(wire: Wire) -> str:
    return ErrorEnvelope.model_validate_json(wire.written.partition(b"\r\n\r\n")[2]).error.code


async def test_a_head_that_is_too_long_is_refused_however_it_is_cut() -> None:
    for pieces in (
        [b"GET /" + b"x" * MOST_UNREAD],
        [b"GET /a HTTP/1.1\r\n", *([b"X-A: " + b"x" * 1000 + b"\r\n"] * 150)],
    ):
        protocol, wire = _connect()
        for piece in pieces:
            if not wire.is_closing():
                protocol.data_received(piece)
        await _turn()
        assert wire.written.startswith(b"HTTP/1.1 431 ")
        assert (_code(wire), wire.ends) == ("too_large", ["closed"])
        protocol.connection_lost(None)


async def test_a_body_may_be_longer_than_any_head_and_heads_of_one_connection_do_not_add_up() -> None:
    app = Answering()
    app.may_end.set()
    protocol, wire = _connect(app)
    for _ in range(3):
        protocol.data_received(POST + b"X-A: " + b"x" * 60_000 + b"\r\nContent-Length: 200000\r\n\r\n")
        for _ in range(20):
            protocol.data_received(b"x" * 10_000)
        await _turn()
    assert (len(app.paths), wire.ends) == (3, [])
    protocol.connection_lost(None)


async def test_trailers_without_end_are_refused() -> None:
    protocol, wire = _connect()
    protocol.data_received(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n")
    while not wire.is_closing():
        protocol.data_received(b"X-A: " + b"x" * 10_000 + b"\r\n")
    assert protocol._unread <= MOST_UNREAD + 10_007
    protocol.connection_lost(None)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"POST /a HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"no http\r\n\r\n",
    ],
)
async def test_a_head_that_two_servers_could_read_in_two_ways_reaches_no_app(head: bytes) -> None:
    app = Answering()
    protocol, wire = _connect(app)
    protocol.data_received(head)
    await _turn()
    assert wire.written.startswith(REFUSED)
    assert (_code(wire), app.paths, wire.ends[0]) == ("malformed_http", [], "closed")
    protocol.connection_lost(None)


@pytest.mark.parametrize(
    "head", [b"GET /a HTTP/1.0\r\n\r\n", GET, POST + b"Transfer-Encoding: Chunked \r\n\r\n0\r\n\r\n"]
)
async def test_a_head_that_can_be_read_in_one_way_only_is_taken(head: bytes) -> None:
    app = Answering()
    protocol, _ = _connect(app)
    protocol.data_received(head)
    await asyncio.wait_for(app.began.wait(), 60)
    assert app.paths == ["/a"]
    protocol.connection_lost(None)


@pytest.mark.parametrize("next_call", [b"", GET, GET * 2], ids=["alone", "behind a call", "behind two"])
async def test_nothing_is_written_into_an_answer_that_has_begun(next_call: bytes) -> None:
    app = Answering()
    protocol, wire = _connect(app)
    protocol.data_received(GET)
    await asyncio.wait_for(app.began.wait(), 60)
    protocol.data_received(next_call + b"no http at all\r\n\r\n")
    app.may_end.set()
    await _turn()
    assert REFUSED not in wire.written
    assert "aborted" in wire.ends
    protocol.connection_lost(None)


async def test_a_head_is_waited_for_as_long_as_is_said_and_no_longer_once_it_came() -> None:
    protocol, wire = _connect()
    begun = protocol._head_timer
    assert begun is not None
    assert begun.when() <= asyncio.get_running_loop().time() + HEAD_SECONDS
    protocol.data_received(GET)
    assert (begun.cancelled(), protocol._head_timer) == (True, None)
    protocol.data_received(b"GET /b")
    assert protocol._head_timer is not None, "the next head is waited for, too"
    protocol._no_head()
    assert wire.ends == [], "but a call that is under way is not ended by it"
    protocol.connection_lost(None)


async def test_a_connection_without_a_call_is_closed_when_its_head_does_not_come() -> None:
    protocol, wire = _connect()
    protocol.data_received(b"GET /a HTTP/1.1\r\nHos")
    protocol._no_head()
    await _turn()
    assert (wire.written, wire.ends) == (b"", ["closed"])
    protocol.connection_lost(None)


async def test_a_client_that_takes_nothing_is_given_up_and_one_that_takes_something_again_is_not() -> None:
    protocol, wire = _connect()
    protocol.pause_writing()
    first = protocol._stall_timer
    protocol.pause_writing()
    assert protocol._stall_timer is first, "the wait is not begun anew"
    protocol.resume_writing()
    assert first is not None
    assert (first.cancelled(), protocol._stall_timer) == (True, None)
    protocol.pause_writing()
    protocol._give_up()
    assert wire.ends == ["aborted"]
    protocol.connection_lost(None)


async def test_a_connection_that_is_lost_waits_for_nothing_more() -> None:
    protocol, _ = _connect()
    protocol.pause_writing()
    timers = [protocol._head_timer, protocol._stall_timer]
    protocol.connection_lost(None)
    assert [timer and timer.cancelled() for timer in timers] == [True, True]
