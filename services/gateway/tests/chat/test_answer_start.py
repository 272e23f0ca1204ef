from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from services.gateway.tests.inner_services import InnerService, Streamed

from contracts.core.errors import ErrorType
from contracts.models.chat import ChatRequest
from gateway.auth.keys import Principal
from gateway.chat.answer_start import (
    MOST_FRAMES,
    PATH,
    STATUS_OF_TYPE,
    StartedAnswer,
    Upstream,
    error_in,
    says_something,
    start_answer,
)
from gateway.chat.errors import FirstPieceTimeout
from gateway.streaming.errors import StreamBrokenOff
from gateway.usage.meter import MeteredCall
from servicekit.core.errors import NotReady, PeerError
from servicekit.streams.sse import DONE, encode_error

KEY = Principal("k1", "acme", frozenset({"chat"}))
COMMENT = b": still here\n\n"


def _chunk(finish: str | None = None, **delta: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"


def _whole(*messages: dict[str, Any]) -> bytes:
    choices = [{"message": message, "finish_reason": message.get("finish", "stop")} for message in messages]
    return json.dumps({"choices": choices}).encode()


class Asker:
    """Asks one upstream, and keeps what was opened for that open."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.peer = InnerService("inference")
        self.call = MeteredCall(None, KEY, "chat", "r", None, datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]

    async def ask(
        self, *pieces: bytes | asyncio.Event | Exception, stream: bool = True, hold: bool = True, first: float = 60
    ) -> StartedAnswer:
        self.peer.answers(PATH, Streamed(pieces))  # type: ignore[arg-type]
        request = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        upstream = Upstream(self.peer, "token", 60, first, hold, {"x-more": "1"})
        return await start_answer(self.call, upstream, ChatRequest.model_validate(request), self._stack)


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    async with AsyncExitStack() as stack:
        yield Asker(stack)


async def test_a_whole_answer_is_there_at_once_and_was_asked_for_by_the_one_call(asker: Asker) -> None:
    body = _whole({"content": "Hi"})
    opened = await asker.ask(body, stream=False)
    assert (opened.body, opened.pieces, opened.refused) == (body, None, False)
    (asked,) = asker.peer.asked
    assert (asked.token, asked.headers, asked.json["model"]) == ("token", {"x-more": "1"}, "m")
    assert not asker.call.streamed


@pytest.mark.parametrize(
    ("messages", "refused"),
    [
        ([{"content": None, "refusal": "no"}], True),
        ([{"content": None, "finish": "content_filter"}, {"content": "", "refusal": "no"}], True),
        ([{"content": None, "refusal": "no"}, {"content": "yes"}], False),
        ([{"content": "half", "finish": "content_filter"}], False),
        ([{"content": "the word content_filter"}], False),
        ([], False),
    ],
)
async def test_a_whole_answer_refuses_only_if_every_choice_does_and_none_says_anything(
    asker: Asker, messages: list[dict[str, Any]], refused: bool
) -> None:
    assert (await asker.ask(_whole(*messages), stream=False)).refused is refused


async def test_a_stream_is_held_until_it_says_something_and_the_rest_is_left_to_come(asker: Asker) -> None:
    later = asyncio.Event()
    role, content = _chunk(role="assistant"), _chunk(content="Hi")
    opened = await asker.ask(COMMENT + role[:9], role[9:] + content, later, DONE)
    assert (opened.frames, opened.refused) == ([COMMENT, role, content], False)
    later.set()
    assert opened.pieces is not None
    assert [piece async for piece in opened.pieces] == [DONE]


async def test_a_stream_for_which_nobody_else_could_be_asked_is_passed_on_from_its_first_frame(asker: Asker) -> None:
    assert (await asker.ask(COMMENT, asyncio.Event(), hold=False)).frames == [COMMENT]


async def test_a_stream_that_only_lives_on_counts_as_begun_after_a_while(asker: Asker) -> None:
    opened = await asker.ask(*[COMMENT] * (MOST_FRAMES + 1), asyncio.Event())
    assert len(opened.frames) == MOST_FRAMES + 1


async def test_an_error_before_anything_was_said_is_the_calls_and_keeps_its_words(asker: Asker) -> None:
    frame = encode_error(NotReady("Come back later.", retry_after=3), None)
    with pytest.raises(PeerError, match="Come back later") as failed:
        await asker.ask(COMMENT, _chunk(role="assistant"), frame)
    assert (failed.value.http_status, failed.value.code) == (503, "not_ready")


@pytest.mark.parametrize("pieces", [(), (COMMENT,), (_chunk(role="assistant"), b"data: {"), (b'data: {"cho',)])
async def test_a_stream_that_ends_before_it_has_said_anything_broke_off(asker: Asker, pieces: tuple[bytes]) -> None:
    with pytest.raises(StreamBrokenOff):
        await asker.ask(*pieces)


async def test_a_stream_without_a_beginning_is_left_when_the_wait_for_it_is_over(asker: Asker) -> None:
    with pytest.raises(FirstPieceTimeout):
        await asker.ask(asyncio.Event(), first=0)
    await asker._stack.aclose()
    assert asker.peer.ended == 1


@pytest.mark.parametrize("refusal", [_chunk("content_filter"), _chunk(refusal="I can't help with that.")])
async def test_a_stream_that_begins_with_a_refusal_has_begun_and_says_so(asker: Asker, refusal: bytes) -> None:
    assert (await asker.ask(_chunk(role="assistant"), refusal, DONE)).refused


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (COMMENT, ""),
        (_chunk(role="assistant"), ""),
        (_chunk(content=""), ""),
        (_chunk(content="a"), "content"),
        (_chunk("content_filter"), "content_filter"),
        (_chunk("content_filter", content="half"), "content"),
        (b'data: {"choices": [], "usage": {"prompt_tokens": 1}}\n\n', "content"),
        (b'data: {"choices": null, "groundwork": {"grounded": true}}\n\n', "content"),
        (b'data: {"choices": [1, null, {"delta": null}]}\n\n', ""),
        (b"data: no json\n\n", ""),
        (b"data: []\n\n", ""),
    ],
)
def test_a_frame_begins_an_answer_refuses_one_or_does_neither(frame: bytes, said: str) -> None:
    assert says_something(frame) == said


def test_every_kind_of_error_has_its_status() -> None:
    assert set(STATUS_OF_TYPE) == set(get_args(ErrorType))


@pytest.mark.parametrize("frame", [b"event: error\ndata: {}\n\n", b"event: error\n\n", b"event: error\ndata: x\n\n"])
def test_an_error_that_can_not_be_read_is_a_stream_that_broke_off(frame: bytes) -> None:
    assert isinstance(error_in(frame), StreamBrokenOff)
