from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from services.gateway.tests.callers import Caller

from gateway.auth.keys import Principal
from gateway.cache.answer_cache import Entry, Lookup
from gateway.cache.replay import RecordingObserver, replay
from gateway.usage.meter import MeteredCall

KEY = Principal("k1", "acme", frozenset({"chat"}))
DONE = b"data: [DONE]\n\n"
RECEIPT = {
    "request_id": "req_0", "trace_id": "t", "stages": [{"name": "model", "ms": 900}], "cost_usd": "0.5",
    "tokens": {"prompt": 7}, "attempts": [{"model": "m"}], "cache": "miss", "collection_revisions": {"handbook": 4},
}  # fmt: skip
ANSWER = {"choices": [{"message": {"content": "Grüße"}}], "groundwork": {"grounded": True, "receipt": RECEIPT}}


def _call() -> MeteredCall:
    return MeteredCall(None, KEY, "chat", "req_1", None, datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


async def _replayed(*pieces: bytes, stream: bool, age: float = 3.9) -> tuple[Caller, MeteredCall]:
    caller, call = Caller(), _call()
    await replay(
        caller.exchange, call, Entry(0, "", {}, "m", {}, {"X-Groundwork-Model": "m"}, pieces), stream=stream, age=age
    )
    return caller, call


async def test_a_whole_answer_is_given_again_as_it_was_and_says_how_old_it_is() -> None:
    body = '{"choices": [{"message": {"content": "Grüße"}}]}'.encode()
    caller, call = await _replayed(body, stream=False)
    assert (caller.status, caller.pieces, caller.has_end) == (200, [body], True)
    assert (caller.headers["x-groundwork-cache"], caller.headers["age"]) == ("hit", "3")
    assert (caller.headers["content-type"], caller.headers["content-length"]) == ("application/json", str(len(body)))
    assert (call.cache, call.model, call.streamed) == ("hit", "m", False)


async def test_a_stream_is_given_again_as_a_stream_at_once() -> None:
    frames = _event({"choices": [{"delta": {"content": "Hi"}}]}), DONE
    caller, call = await _replayed(*frames, stream=True)
    assert (caller.pieces, caller.has_end) == ([b"".join(frames)], True)
    assert caller.headers["content-type"].startswith("text/event-stream")
    assert call.streamed


async def test_an_answer_that_was_made_by_a_clock_ahead_of_ours_is_new() -> None:
    caller, _ = await _replayed(b"{}", stream=False, age=-2)
    assert caller.headers["age"] == "0"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_receipt_becomes_that_of_this_call_and_keeps_what_the_answer_is_from(stream: bool) -> None:
    pieces = (_event(ANSWER), DONE) if stream else (json.dumps(ANSWER).encode(),)
    caller, _ = await _replayed(*pieces, stream=stream)
    body = b"".join(caller.pieces)
    told: dict[str, Any] = json.loads(body.removeprefix(b"data: ").removesuffix(DONE) if stream else body)
    receipt = told["groundwork"].pop("receipt")
    assert (receipt["request_id"], receipt["cache"], receipt["cost_usd"]) == ("req_1", "hit", "0")
    assert (receipt["attempts"], set(receipt["tokens"].values())) == ([], {0})
    assert [stage["name"] for stage in receipt["stages"]] == ["cache"]
    assert receipt["collection_revisions"] == {"handbook": 4}
    assert told == {**ANSWER, "groundwork": {"grounded": True}}


@pytest.mark.parametrize(
    "piece",
    [
        b'{"choices": [{"message": {"content": "the \\"receipt\\": is in the drawer"}}], "receipt":  1}',
        b'{"groundwork": {"receipt": null}}',
        b'{"groundwork": null, "receipt": {}}',
        b'["receipt":',
    ],
)
async def test_the_word_in_an_answers_text_changes_no_byte_of_it(piece: bytes) -> None:
    caller, _ = await _replayed(piece, stream=False)
    assert caller.pieces == [piece]


class Doubling:
    """Lets everything out twice, and keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def frame(self, frame: bytes) -> bytes:
        return frame * 2

    async def whole(self, body: bytes) -> bytes:
        return body * 2

    async def last(self) -> bytes:
        return b"last"

    def cut_off(self) -> None:
        self.told.append("cut off")

    def close(self) -> None:
        self.told.append("closed")


async def test_what_goes_out_is_recorded_and_not_what_came_in() -> None:
    lookup = Lookup(storable=True, pieces=[b"of an attempt before"], size=20)
    observer = RecordingObserver(Doubling(), lookup)
    assert [await observer.frame(b"a"), await observer.last(), await observer.whole(b"w")] == [b"aa", b"last", b"ww"]
    assert (lookup.pieces, lookup.size, lookup.storable) == ([b"aa", b"last", b"ww"], 8, True)


async def test_an_answer_that_was_cut_off_is_not_kept_and_the_other_observer_is_told() -> None:
    lookup, inner = Lookup(storable=True), Doubling()
    observer = RecordingObserver(inner, lookup)
    observer.cut_off()
    observer.close()
    assert (lookup.storable, inner.told) == (False, ["cut off", "closed"])
