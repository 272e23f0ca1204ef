from __future__ import annotations

import asyncio

import pytest
from services.gateway.tests.callers import Caller
from starlette.requests import ClientDisconnect

from contracts.core.errors import ErrorBody
from gateway.auth.errors import KeyRevoked
from gateway.streaming import exchange as streaming
from gateway.streaming.exchange import BodyTooSlow, Exchange, Relay, passed_on
from servicekit.core.errors import NotReady, PeerError


async def test_a_body_is_read_whole_and_one_that_breaks_off_is_none() -> None:
    assert await Caller(b"a", b"", b"b").exchange.body() == b"ab"
    assert await Caller().exchange.body() == b""
    with pytest.raises(ClientDisconnect):
        await Caller(b"half").breaks_off().exchange.body()


async def test_nobody_sleeps_in_the_middle_of_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BODY_SECONDS", 0)
    with pytest.raises(BodyTooSlow):
        await Caller(b"", asyncio.Event(), b"a").exchange.body()


async def test_an_upload_is_handed_on_as_it_comes() -> None:
    rest = asyncio.Event()
    pieces = Caller(b"a", rest, b"", b"b").exchange.upload()
    assert await anext(pieces) == b"a"
    rest.set()
    assert [piece async for piece in pieces] == [b"b"]


@pytest.mark.parametrize(
    ("headers", "large"),
    [
        ({}, False),
        ({"content_length": "16384"}, False),
        ({"content_length": "16385"}, True),
        ({"content_length": "-1"}, True),
        ({"content_length": "many"}, True),
        ({"transfer_encoding": "chunked"}, True),
    ],
)
async def test_a_body_may_be_large_unless_it_says_that_it_is_not(headers: dict[str, str], large: bool) -> None:
    assert Caller(**headers).exchange.body_is_large is large


async def test_credentials_and_cookies_go_to_no_inner_service_and_none_of_its_own_headers_come_back() -> None:
    caller = Caller(authorization="Bearer gw_x", cookie="a=b", x_forwarded_for="1.2.3.4", accept="text/plain")
    assert caller.exchange.forwarded_headers() == {"accept": "text/plain"}
    assert passed_on({"etag": "1", "server": "x", "set-cookie": "a=b"}) == {"etag": "1"}


async def test_headers_of_the_call_are_on_its_answer_whatever_case_they_have() -> None:
    caller = Caller()
    caller.exchange.headers["Content-Type"] = "text/plain"
    caller.exchange.headers["X-Name"] = "日é"
    await caller.exchange.answer(201, {"content-type": "application/json"}, b"body")
    assert (caller.status, caller.pieces, caller.has_end) == (201, [b"body"], True)
    assert caller.headers == {"content-type": "text/plain", "content-length": "4", "x-name": "?é"}


async def test_a_stream_ends_before_another_piece_goes_out_once_it_may_not_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "CHECK_SECONDS", -1)
    answers = [None, KeyRevoked()]

    async def may() -> None:
        if (error := answers.pop(0)) is not None:
            raise error

    caller = Caller()
    caller.exchange.goes_on_while(may)
    await caller.exchange.start(200, {})
    await caller.exchange.piece(b"a")
    with pytest.raises(KeyRevoked):
        await caller.exchange.piece(b"b")
    await caller.exchange.piece(b"the error itself")
    assert caller.pieces == [b"a", b"the error itself"]


async def test_whether_a_stream_may_go_on_is_not_asked_for_every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "CHECK_SECONDS", 3600)

    async def may() -> None:
        raise KeyRevoked

    caller = Caller()
    caller.exchange.goes_on_while(may)
    await caller.exchange.piece(b"a")
    assert caller.pieces == [b"a"]


async def test_an_error_is_the_answer_unless_one_has_begun_which_breaks_off() -> None:
    caller = Caller()
    caller.exchange.headers["X-RateLimit-Remaining-Requests"] = "0"
    await caller.exchange.fail(NotReady("Later.", retry_after=3))
    assert (caller.status, caller.json["error"]["request_id"]) == (503, "req_1")
    assert (caller.headers["retry-after"], caller.headers["x-ratelimit-remaining-requests"]) == ("3", "0")
    begun = Caller()
    await begun.exchange.start(200, {})
    await begun.exchange.fail(NotReady("Later."))
    assert (begun.status, begun.has_end) == (200, False)


async def _fail(_: Exchange) -> None:
    error = ErrorBody(type="authentication", code="invalid_delegation", message="The token is not valid.")
    raise PeerError(401, error)


async def test_an_inner_service_that_refuses_our_token_is_not_the_callers_fault() -> None:
    caller = Caller()
    await Relay(_fail)(*caller.connection)
    assert (caller.status, caller.json["error"]["code"]) == (502, "inner_call_refused")


async def test_work_for_a_client_that_leaves_is_ended_and_counted_as_that() -> None:
    caller, ended = Caller(b"a"), asyncio.Event()

    async def work(exchange: Exchange) -> None:
        await exchange.body()
        caller.left.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    await Relay(work)(*caller.connection)
    assert (ended.is_set(), caller.status, caller.pieces) == (True, 499, [])


async def test_a_client_that_leaves_with_its_whole_answer_ends_nothing() -> None:
    caller = Caller(b"a")
    done: list[bool] = []

    async def work(exchange: Exchange) -> None:
        await exchange.body()
        await exchange.answer(200, {}, b"all")
        caller.left.set()
        for _ in range(3):
            await asyncio.sleep(0)  # it is noticed now
        done.append(True)

    await Relay(work)(*caller.connection)
    assert (done, caller.status, caller.pieces) == ([True], 200, [b"all"])


async def test_an_upload_that_breaks_off_ends_the_work_from_outside() -> None:
    caller, seen = Caller(b"half").breaks_off(), list[bytes]()

    async def work(exchange: Exchange) -> None:
        async for piece in exchange.upload():
            seen.append(piece)

    async with asyncio.timeout(60):
        await Relay(work)(*caller.connection)
    assert (seen, caller.status) == ([b"half"], 499)
