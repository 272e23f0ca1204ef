"""What a recording holds of the memory that there is, and what it does without."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from services.gateway.tests.records.recordings import Roomy, recording

from contracts.models.chat import Message
from gateway.records.content import rows_of
from gateway.records.recording import MOST_ANSWER_BYTES, Recording
from servicekit.core.clock import ManualClock

ID = "chatcmpl_1"
SOURCE = {"collection": "a", "document_id": "d1", "revision": 1, "chunk_id": "c1", "text": "t" * 10_000}


class Bounded(Roomy):
    """Room for so many bytes."""

    def __init__(self, free: int) -> None:
        self.free = free

    def hold(self, size: int) -> bool:
        if size > self.free:
            return False
        self.free -= size
        return True

    def release(self, size: int) -> None:
        self.free += size


def _asked(room: Roomy, clock: ManualClock, size: int = 0, *, stream: bool = False) -> Recording:
    """A call whose request has so many bytes, before its answer."""
    one = recording(Roomy(), "other", clock.now())
    assert room.hold(size)
    request = one.request.model_copy(update={"stream": stream})
    return replace(one, room=room, frames=[], size=size, request=request)


def _piece(text: str, *, stream: bool = False) -> bytes:
    said = "delta" if stream else "message"
    piece = json.dumps({"id": ID, "choices": [{"index": 0, said: {"content": text}}]}).encode()
    return b"data: " + piece + b"\n\n" if stream else piece


def _content(one: Recording) -> tuple[Any, Any, bool]:
    row = rows_of(one)[0]
    return row["id"], row["answer"], "truncated" in json.loads(row["content"])


def test_a_request_however_large_takes_nothing_from_its_answer(clock: ManualClock) -> None:
    one = _asked(Roomy(), clock, size=2 * MOST_ANSWER_BYTES)
    one.keep(_piece("Because."))
    assert _content(one) == (ID, "Because.", False)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_room_is_recorded_under_its_own_id(clock: ManualClock, stream: bool) -> None:
    for room, text in ((Roomy(), "y" * MOST_ANSWER_BYTES), (Bounded(10), "y")):
        one = _asked(room, clock, stream=stream)
        one.keep(_piece(text, stream=stream))
        one.keep(_piece("more", stream=stream))
        assert _content(one) == (ID, "", True)


def test_what_a_prompt_said_without_room_is_told_as_cut_off_and_takes_none(clock: ManualClock) -> None:
    said = [Message(role="system", content="Be kind.")]
    for free, kept, cut in ((1000, [{"role": "system", "content": "Be kind."}], False), (350, None, True)):
        one = _asked(room := Bounded(free), clock, size=100)
        one.keep_prompt(said, 300)
        one.keep(_piece("Because."))
        assert _content(one) == (ID, "Because.", cut)
        assert json.loads(rows_of(one)[0]["content"]).get("prompt_messages") == kept
        one.room.release(one.size)
        assert room.free == free


def test_what_an_attempt_said_that_was_not_the_answer_frees_its_room(clock: ManualClock) -> None:
    one = _asked(room := Bounded(1000), clock, size=100)
    one.keep(_piece("x" * 600))
    one.begin()
    assert room.free == 900
    one.keep(_piece("Because."))
    assert _content(one) == (ID, "Because.", False)
    one.room.release(one.size)
    assert room.free == 1000


def test_sources_hold_the_memory_that_they_take_and_go_without_the_answer_where_there_is_none(
    clock: ManualClock,
) -> None:
    one = _asked(room := Bounded(30_000), clock)
    for _ in range(2):
        one.report(None, [SOURCE])
        assert 10_000 < one.size == 30_000 - room.free < 20_000
    one.report(None, [SOURCE] * 5)
    assert (one.size, one.sources) == (0, None)
    one.keep(_piece("Because."))
    assert _content(one) == (ID, "Because.", True)
