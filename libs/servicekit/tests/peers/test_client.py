"""What a call to another service sends and what becomes of the answer, over a connection in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp.client_proto import ResponseHandler
from pydantic import BaseModel

from servicekit.core.errors import NotReady, PeerError, UpstreamFailed
from servicekit.peers.client import Peer, PeerMalformed, PeerTimeout, PeerUnreachable, open_session
from servicekit.telemetry.trace_context import CURRENT, TraceContext

ENVELOPE = b'{"error": {"type": "rate_limited", "code": "slow_down", "message": "Slower."}}'
TRACE = TraceContext.begin(sampled=False)


class Word(BaseModel):
    """A body and an answer."""

    word: str
    language: str = "en"


def reply(body: bytes, status: int = 200, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Wire(asyncio.Transport):
    """A connection whose other end answers with what it was given as soon as it is written to."""

    def __init__(self, protocol: ResponseHandler, answer: bytes) -> None:
        super().__init__()
        self._protocol, self._answer = protocol, answer
        self.sent = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        if not self.sent:
            asyncio.get_running_loop().call_soon(self._protocol.data_received, self._answer)
        self.sent += bytes(data)

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self.is_closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Wires(aiohttp.BaseConnector):
    """Connects to nobody: each connection is a wire with the next answer, or fails with it."""

    def __init__(self, *answers: bytes | OSError) -> None:
        super().__init__(force_close=True)
        self._answers = list(answers)
        self.wires: list[Wire] = []

    async def _create_connection(self, req: Any, *_: Any) -> ResponseHandler:
        answer = self._answers.pop(0)
        if isinstance(answer, OSError):
            raise aiohttp.ClientConnectorError(req.connection_key, answer)
        protocol = ResponseHandler(asyncio.get_running_loop())
        self.wires.append(Wire(protocol, answer))
        protocol.connection_made(self.wires[-1])
        return protocol

    def sent(self) -> str:
        """What went out last."""
        return self.wires[-1].sent.decode()


@asynccontextmanager
async def peer(*answers: bytes | OSError, **more: Any) -> AsyncIterator[tuple[Peer, Wires]]:
    wires = Wires(*answers)
    async with aiohttp.ClientSession(connector=wires, auto_decompress=False) as session:
        yield Peer("words", "http://words.test/base/", session, **more), wires


async def test_a_model_is_sent_as_what_was_set_of_it_and_the_answer_is_one() -> None:
    async with peer(reply(b'{"word": "hallo", "language": "de"}')) as (words, wires):
        answer = await words.call("POST", "/v1/words", Word, body=Word(word="hi"), token="secret", params={"a": "ü"})
    assert answer == Word(word="hallo", language="de")
    head, _, body = wires.sent().partition("\r\n\r\n")
    assert head.startswith("POST /base/v1/words?a=%C3%BC HTTP/1.1\r\n")
    assert "Authorization: Bearer secret" in head
    assert "Content-Type: application/json" in head
    assert body == '{"word":"hi"}'


async def test_a_body_that_comes_in_pieces_is_sent_in_pieces() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with peer(reply(b"")) as (words, wires):
        await words.send("PUT", "/v1/file", body=pieces())
    head, _, body = wires.sent().partition("\r\n\r\n")
    assert "Transfer-Encoding: chunked" in head
    assert body == "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("is_ours", "sampled", "passed_on"), [(True, False, True), (False, False, False), (False, True, True)]
)
async def test_a_call_passes_on_its_request_id_and_its_trace_to_others_only_if_it_is_recorded(
    is_ours: bool, sampled: bool, passed_on: bool
) -> None:
    trace = TraceContext(TRACE.trace_id, TRACE.span_id, sampled, "vendor=1")
    before = CURRENT.set(trace)
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        async with peer(reply(b""), is_ours=is_ours) as (words, wires):
            await words.send("GET", "/")
    CURRENT.reset(before)
    head = wires.sent()
    assert "X-Request-Id: req-1" in head
    assert (f"traceparent: {trace.header()}\r\ntracestate: vendor=1" in head) is passed_on


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (reply(ENVELOPE, 429), PeerError, "slow_down"),
        (reply(b"<html>", 502), PeerMalformed, "words_malformed"),
        (reply(b"", 503), NotReady, "not_ready"),
        (reply(b"[]"), PeerMalformed, "words_malformed"),
        (reply(b'{"word": 7}'), PeerMalformed, "words_malformed"),
        (ConnectionRefusedError(111, "refused"), PeerUnreachable, "words_unreachable"),
    ],
)
async def test_whatever_goes_wrong_is_an_error_that_callers_understand(
    answer: bytes | OSError, error: type[Exception], code: str
) -> None:
    async with peer(answer) as (words, _):
        with pytest.raises(error) as raised:
            await words.call("GET", "/v1/words", Word)
    assert getattr(raised.value, "code", None) == code


@pytest.mark.parametrize(("header", "seconds"), [("Retry-After: 7", 7.0), ("Retry-After: soon", None), ("X: y", None)])
async def test_when_to_come_back_is_passed_on_if_it_is_a_number(header: str, seconds: float | None) -> None:
    async with peer(reply(ENVELOPE, 429, header)) as (words, _):
        with pytest.raises(PeerError) as raised:
            await words.send("GET", "/")
    assert (raised.value.http_status, raised.value.retry_after) == (429, seconds)


async def test_an_answer_that_breaks_off_is_no_whole_one() -> None:
    cut = reply(b"all of it").removesuffix(b"of it")
    async with peer(cut) as (words, wires):
        with pytest.raises(UpstreamFailed, match="broke off"):
            async with words.stream("GET", "/") as stream:
                pieces = stream.pieces()
                assert await anext(pieces) == b"all "
                wires.wires[0].close()
                await anext(pieces)


async def test_a_peer_that_says_nothing_for_its_time_has_timed_out() -> None:
    async with peer(b"") as (words, _):
        with pytest.raises(PeerTimeout) as raised:
            await words.send("GET", "/", timeout_seconds=0.001)
    assert raised.value.code == "words_timeout"


async def test_leaving_an_answer_early_ends_the_connection_and_with_it_the_peer_s_work() -> None:
    async with peer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun") as (words, wires):
        async with words.stream("GET", "/endless"):
            pass
        assert wires.wires[0].is_closed


async def test_statuses_of_another_form_are_handed_over_where_they_are_asked_for() -> None:
    async with peer(reply(b"as it is", 404), reply(ENVELOPE, 429), reply(b"any", 500)) as (words, _):
        async with words.stream("GET", "/", passes=(404,)) as stream:
            assert (stream.status, [piece async for piece in stream.pieces()]) == (404, [b"as it is"])
        with pytest.raises(PeerError):
            async with words.stream("GET", "/", passes=(404,)):
                pass
        async with words.stream("GET", "/", check_status=False) as stream:
            assert stream.status == 500


async def test_nobody_is_sent_elsewhere_by_an_answer() -> None:
    async with peer(reply(b"", 307, "Location: http://elsewhere.test/")) as (words, wires):
        assert (await words.send("GET", "/")).status == 307
        assert len(wires.wires) == 1


@pytest.mark.parametrize("path", ["/v1/../keys", "/v1/./words", "/..", "/v1/words/.."])
async def test_a_path_that_leads_elsewhere_is_never_called(path: str) -> None:
    async with peer() as (words, _):
        with pytest.raises(ValueError, match="leads elsewhere"):
            await words.send("GET", path)


async def test_a_peer_that_never_was_there_is_asked_once_and_one_that_was_again_unless_it_is_a_probe() -> None:
    gone = ConnectionRefusedError(111, "refused")
    async with peer(gone, reply(b""), gone, reply(b""), gone, restart_seconds=600) as (words, wires):
        with pytest.raises(PeerUnreachable):
            await words.send("GET", "/")
        await words.send("GET", "/")
        await words.send("GET", "/")
        with pytest.raises(PeerUnreachable):
            await words.probe()
    assert len(wires.wires) == 2


async def test_a_session_asks_for_answers_as_they_are_and_keeps_no_cookies() -> None:
    async with open_session(7) as session:
        assert session.headers["Accept-Encoding"] == "identity"
        assert session.auto_decompress is False
        assert session.connector is not None
        assert session.connector.limit == 7
        assert len(session.cookie_jar) == 0
