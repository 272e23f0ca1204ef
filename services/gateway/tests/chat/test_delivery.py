from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.inner_services import InnerService, Streamed

from contracts.models.chat import ChatRequest
from gateway.auth.keys import Principal
from gateway.chat.answer_start import PATH, StartedAnswer, Upstream
from gateway.chat.delivery import answer_chat, deliver
from gateway.streaming.errors import StreamBrokenOff
from gateway.usage.meter import MeteredCall
from servicekit.core.errors import NotReady, PeerError, ServiceError
from servicekit.streams.sse import DONE, encode_error

KEY = Principal("k1", "acme", frozenset({"chat"}))
HI = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n'
YOU = b'data: {"choices": [{"delta": {"content": " you"}}]}\n\n'
SECRET = b"data: secret\n\n"
RECEIPT = b"data: receipt\n\n"
FAILED = encode_error(NotReady("No more.", retry_after=3), None)


class Notary:
    """Lets all pass but secrets, adds a receipt, and notes how much the caller had when it was told what."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.notes: list[tuple[str, int]] = []

    async def frame(self, frame: bytes) -> bytes:
        return b"" if frame == SECRET else frame

    async def whole(self, body: bytes) -> bytes:
        return body.upper()

    async def last(self) -> bytes:
        return RECEIPT

    def cut_off(self) -> None:
        self._note("cut off")

    def close(self) -> None:
        if "closed" not in [what for what, _ in self.notes]:
            self._note("closed")

    def _note(self, what: str) -> None:
        self.notes.append((what, len(self.caller.sent)))


class Delivery:
    """An answer on its way to one caller."""

    def __init__(self) -> None:
        self.caller = Caller()
        self.notary = Notary(self.caller)
        self.call = MeteredCall(None, KEY, "chat", "r", None, datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]

    async def of(self, opened: StartedAnswer) -> ServiceError | None:
        return await deliver(self.caller.exchange, self.call, opened, self.notary)

    async def streamed(self, *pieces: bytes | asyncio.Event, held: tuple[bytes, ...] = ()) -> ServiceError | None:
        async def coming() -> AsyncGenerator[bytes]:
            for piece in pieces:
                if isinstance(piece, bytes):
                    yield piece
                else:
                    await piece.wait()

        return await self.of(StartedAnswer(frames=list(held), pieces=coming()))

    async def asked(self, answer: Streamed | ServiceError) -> None:
        peer = InnerService("agent")
        peer.answers(PATH, answer)
        request = ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
        await answer_chat(self.caller.exchange, self.call, Upstream(peer, "t", 60, 60), request, self.notary)

    @property
    def error(self) -> dict[str, Any]:
        """The event that ended the stream."""
        kind, data = self.caller.pieces[-1].decode().strip().split("\n")
        assert kind == "event: error"
        return dict(json.loads(data.removeprefix("data: "))["error"])


@pytest.fixture
def delivery() -> Delivery:
    return Delivery()


async def test_a_whole_answer_goes_out_as_its_observer_has_it_and_is_settled_before(delivery: Delivery) -> None:
    assert await delivery.of(StartedAnswer(body=b'{"a": 1}')) is None
    assert (delivery.caller.status, delivery.caller.pieces) == (200, [b'{"A": 1}'])
    assert delivery.caller.headers["content-type"] == "application/json"
    assert delivery.notary.notes == [("closed", 0)]


async def test_frames_go_out_in_order_with_the_observers_last_word_before_the_end(delivery: Delivery) -> None:
    assert await delivery.streamed(YOU[:5], YOU[5:] + DONE, held=(HI,)) is None
    assert b"".join(delivery.caller.pieces) == HI + YOU + RECEIPT + DONE
    assert delivery.caller.headers["content-type"].startswith("text/event-stream")
    assert delivery.caller.has_end
    assert delivery.notary.notes == [("closed", 2)], "the head and the first frame are out, the end is not"


async def test_nothing_begins_before_there_is_something_to_say(delivery: Delivery) -> None:
    with pytest.raises(PeerError) as failed:
        await delivery.streamed(SECRET, FAILED, held=(SECRET,))
    assert (failed.value.http_status, delivery.caller.sent) == (503, [])


async def test_an_error_after_the_first_byte_ends_the_stream_as_an_event_and_is_told(delivery: Delivery) -> None:
    failure = await delivery.streamed(YOU + FAILED, held=(HI,))
    assert isinstance(failure, PeerError)
    assert b"".join(delivery.caller.pieces[:-1]) == HI + YOU, "what came before it is not lost"
    assert (delivery.error["code"], delivery.error["request_id"]) == ("not_ready", "req_1")
    assert (delivery.call.error_type, delivery.caller.has_end) == ("overloaded", True)


@pytest.mark.parametrize("pieces", [(), (YOU,), (DONE[:8],), (HI + b"data: {",)])
async def test_a_stream_without_its_end_broke_off(delivery: Delivery, pieces: tuple[bytes, ...]) -> None:
    failure = await delivery.streamed(*pieces, held=(HI,))
    assert isinstance(failure, StreamBrokenOff)
    assert delivery.error["code"] == "stream_broken_off"


async def test_an_answer_whose_client_leaves_is_cut_off_and_closed(delivery: Delivery) -> None:
    said = asyncio.Event()

    async def coming() -> AsyncGenerator[bytes]:
        said.set()
        await asyncio.Event().wait()
        yield DONE

    work = asyncio.create_task(delivery.of(StartedAnswer(frames=[HI], pieces=coming())))
    await said.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert [what for what, _ in delivery.notary.notes] == ["cut off", "closed"]


async def test_an_upstream_that_fails_before_its_answer_raises_and_closes_the_observer(delivery: Delivery) -> None:
    with pytest.raises(NotReady):
        await delivery.asked(NotReady("away"))
    assert delivery.notary.notes == [("closed", 0)]


async def test_the_one_upstream_that_there_is_is_asked_and_its_answer_passed_on(delivery: Delivery) -> None:
    await delivery.asked(Streamed((b'{"a": ', b"1}")))
    assert delivery.caller.pieces == [b'{"A": 1}']
