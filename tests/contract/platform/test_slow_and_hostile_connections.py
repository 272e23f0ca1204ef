"""What a client may cost before it has said who it is: raw connections to a real server, as every service has one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse
from tests.support.gateway.running import Servers

from contracts.core.errors import ErrorEnvelope
from servicekit.core.settings import ServiceSettings
from servicekit.web.app import build_app
from servicekit.web.http_protocol import MOST_UNREAD, BoundedProtocol

DEADLINE_SECONDS = 60.0
LONG = b"x" * 10_000
ended = asyncio.Event()


def _router() -> APIRouter:
    router = APIRouter()

    @router.post("/echo")
    async def echo(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @router.get("/endless")
    async def endless() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield LONG
                    await asyncio.sleep(0)
            finally:
                ended.set()

        return StreamingResponse(pieces())

    return router


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that bears little, for the tests of what it does not bear."""
    monkeypatch.setattr(BoundedProtocol, "head_seconds", 0.3)
    monkeypatch.setattr(BoundedProtocol, "stall_seconds", 0.3)


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    ended.clear()

    @asynccontextmanager
    async def opening() -> AsyncIterator[None]:
        yield None

    settings = ServiceSettings(data_dir=tmp_path, delegation_public_key_file=tmp_path / "d.pub")
    app = build_app("test", settings=settings, opening=opening, routers=[_router()], probes=lambda _: {})
    servers = Servers()
    try:
        yield urlsplit(await servers.start(app)).port or 0
    finally:
        await servers.close()


async def _answer(port: int, *pieces: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


def _error(answer: bytes) -> str:
    return ErrorEnvelope.model_validate_json(answer.partition(b"\r\n\r\n")[2]).error.code


HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("begun", [b"", b"POST /ec", HEAD, HEAD + b"Content-Le"], ids=["none", "line", "head", "name"])
async def test_a_head_that_does_not_come_ends_the_connection(port: int, begun: bytes) -> None:
    assert await _answer(port, begun) == b""


async def test_a_second_head_that_stops_in_the_middle_ends_the_connection_too(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"Content-Length: 2\r\n\r\nhi")
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert (await reader.readuntil(b'{"bytes":2}')).startswith(b"HTTP/1.1 200 ")
        monkeypatch.setattr(BoundedProtocol, "head_seconds", 0.3)
        writer.write(b"POST /ec")
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    "endless",
    [
        [b"GET /" + LONG * 40],
        [HEAD, *([b"X-A: " + LONG + b"\r\n"] * 100)],
        [HEAD + b"X-A: ", *([LONG] * 100)],
    ],
    ids=["path", "many lines", "one line"],
)
async def test_a_head_without_end_is_refused_and_not_kept(port: int, endless: list[bytes]) -> None:
    assert sum(len(piece) for piece in endless) > MOST_UNREAD
    answer = await _answer(port, *endless)
    assert answer == b"reset" or (answer.startswith(b"HTTP/1.1 431 ") and _error(answer) == "too_large")


@pytest.mark.parametrize(
    "endless",
    [[b"2;a=" + LONG, *([LONG] * 100)], [b"2\r\nhi\r\n0\r\n", *([b"X-A: " + LONG + b"\r\n"] * 100)]],
    ids=["extension", "trailers"],
)
async def test_what_surrounds_a_body_in_chunks_is_bounded_too(port: int, endless: list[bytes]) -> None:
    assert b"200 OK" not in await _answer(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *endless)


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_does_not_read_its_answer_holds_nothing_for_ever(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.wait_for(ended.wait(), DEADLINE_SECONDS)
    writer.close()
    assert not reader.at_eof()


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Content-Length: 2, 2\r\n",
        b"Content-Length: +2\r\n",
        b"Content-Length: -2\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X-A: 1\r\n folded\r\n",
        b"X-A: a\0b\r\n",
        b"X-A: a\nContent-Length: 2\r\n",
    ],
)
async def test_a_request_that_two_servers_could_read_in_two_ways_is_refused_in_the_envelope(
    port: int, lines: bytes
) -> None:
    answer = await _answer(port, HEAD + lines + b"\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert _error(answer) == "malformed_http"


@pytest.mark.parametrize("hosts", [b"", b"Host: x\r\nHost: x\r\n", b"Host: x\r\nhost: y\r\n"])
async def test_a_request_names_its_host_once(port: int, hosts: bytes) -> None:
    answer = await _answer(port, b"POST /echo HTTP/1.1\r\n" + hosts + b"Content-Length: 2\r\n\r\nhi")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert _error(answer) == "malformed_http"
    assert answer.count(b"HTTP/1.1 400 ") == 1


async def test_http_1_0_needs_no_host(port: int) -> None:
    answer = await _answer(port, b"POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
    assert answer.endswith(b'{"bytes":2}')


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"gzip,chunked", b"deflate,  chunked"])
async def test_a_transfer_encoding_that_is_not_understood_is_refused_and_not_ignored(port: int, coding: bytes) -> None:
    body = b"Transfer-Encoding: " + coding + b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    answer = await _answer(port, HEAD + body, HEAD + b"Content-Length: 2\r\n\r\nhi")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert _error(answer) == "malformed_http"
    assert answer.count(b"HTTP/1.1 400 ") == 1


async def test_a_path_with_a_slash_too_many_is_not_found_and_never_sent_elsewhere(port: int) -> None:
    answer = await _answer(port, b"POST /echo/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"location" not in answer.lower()
