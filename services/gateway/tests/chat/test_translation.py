from __future__ import annotations

import json

import pytest
from services.gateway.tests.callers import Caller

from gateway.chat.completions import Completions
from gateway.chat.translation import TranslatedExchange, Translation
from servicekit.streams.sse import is_done

ANSWER = {"id": "chatcmpl-1", "choices": [{"index": 0, "message": {"content": "hï"}, "finish_reason": "stop"}]}
CHUNK = b'data: {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": "h"}}]}\n\n'


def _told(translation: Translation) -> tuple[Caller, TranslatedExchange]:
    caller = Caller()
    return caller, TranslatedExchange(translation, *caller.connection)


async def test_a_whole_answer_goes_out_in_the_callers_form_with_the_length_of_that() -> None:
    caller, exchange = _told(Completions())
    body = json.dumps(ANSWER).encode()
    await exchange.answer(200, {"content-type": "application/json", "content-length": str(len(body))}, body)
    assert caller.json["object"] == "text_completion"
    assert int(caller.headers["content-length"]) == len(b"".join(caller.pieces)) != len(body)


@pytest.mark.parametrize("size", [1, 7, len(CHUNK) - 1, 10_000])
async def test_frames_are_told_one_by_one_however_they_arrive(size: int) -> None:
    caller, exchange = _told(Completions())
    stream = CHUNK * 2 + b"data: [DONE]\n\n"
    for at in range(0, len(stream), size):
        await exchange.piece(stream[at : at + size])
    whole = b"".join(caller.pieces)
    assert (whole.count(b'"text":"h"'), whole.endswith(b"data: [DONE]\n\n")) == (2, True)


class Reticent(Completions):
    """Tells the end only."""

    def frame(self, frame: bytes) -> bytes:
        return frame if is_done(frame) else b""


async def test_half_a_frame_and_a_frame_that_says_nothing_send_nothing() -> None:
    caller, exchange = _told(Reticent())
    await exchange.piece(CHUNK + b"data: [DO")
    assert caller.sent == []
    await exchange.piece(b"NE]\n\n")
    assert caller.pieces == [b"data: [DONE]\n\n"]
