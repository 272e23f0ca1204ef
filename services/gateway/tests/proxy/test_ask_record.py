from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from services.gateway.tests.records.recordings import recording, usage_of
from sqlalchemy.exc import OperationalError

from contracts.models.receipts import Attempt, TokenCounts
from contracts.models.versions import ModelVersion
from gateway.proxy.ask_record import AskRecord
from gateway.records.content import rows_of
from gateway.records.recording import MOST_ANSWER_BYTES, Recording
from gateway.usage.inner_calls import InnerCalls, Spent

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = SimpleNamespace(key_id="k1")
CALL: Any = SimpleNamespace(
    id="call_1",
    principal=KEY,
    prompt=None,
    answered_by=ModelVersion(),
    cache="bypass",
    assignment=None,
    waiting=nullcontext,
)
ANSWER = {"id": "chatcmpl_7", "answer": "Four – 4.0.", "citations": [], "collections": ["a"], "none": None}
SOURCE = {
    "number": 1,
    "collection": "a",
    "document_id": "d",
    "revision": 3,
    "chunk_id": "c",
    "text": "Four.",
    "score": 0.5,
}
TOLD = {"receipt": {"request_id": "r", "model": "m", "prompt": "answer.v3", "attempts": []}, "sources": [SOURCE]}
ASKED = Attempt(model="m", upstream="inference", outcome="ok", ms=7.0)


class Room:
    """Of so many bytes."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.written: list[Recording] = []

    def hold(self, size: int) -> bool:
        if size > self.left:
            return False
        self.left -= size
        return True

    def release(self, size: int) -> None:
        self.left += size

    def submit(self, recording: Recording) -> None:
        self.written.append(recording)
        self.release(recording.size)


class Ledger:
    """What calls inside another one used, or what is raised instead."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def spent(self, parent_id: str, key_id: str) -> Spent:
        if self.error is not None:
            raise self.error
        return Spent(TokenCounts(prompt=70, completion=8), 500, (ASKED,), settled=True)


def _asked(room: Room, error: Exception | None = None) -> AskRecord:
    asked = recording(room, "chatcmpl_0", NOW)
    asked.begin()
    return AskRecord(asked, CALL, cast("InnerCalls", Ledger(error)))


def _recorded(room: Room, reply: bytes) -> dict[str, Any]:
    record = _asked(room)
    record.keep(record.take_report(reply))
    record.end(CALL, usage_of("call_1", NOW), None)
    return rows_of(room.written[0])[0]


def _reply(**result: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "result": result}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def test_an_answer_is_on_record_and_its_memory_is_given_back() -> None:
    room = Room(100_000)
    row = _recorded(room, _reply(structuredContent=ANSWER))
    assert (row["id"], row["answer"], row["collections"], row["error_type"]) == (
        "chatcmpl_7",
        ANSWER["answer"],
        ",a,",
        None,
    )
    assert room.left == 100_000


def test_a_tool_that_failed_is_an_error_though_its_status_is_200() -> None:
    row = _recorded(Room(100_000), _reply(isError=True, content=[{"type": "text", "text": "There are none."}]))
    assert (row["error_type"], row["status"]) == ("tool_failed", 200)
    assert "There are none." in row["content"]


def test_a_reply_for_which_there_is_no_room_is_not_kept_and_holds_none() -> None:
    for room, reply in ((Room(2_000), b"x" * 4_000), (Room(9 << 20), b"x" * (MOST_ANSWER_BYTES + 1))):
        before = room.left
        row = _recorded(room, reply)
        assert '"truncated":true' in row["content"]
        assert room.left == before


@pytest.mark.parametrize(
    "fails", [None, OperationalError("SELECT", {}, Exception("database is locked")), ConnectionRefusedError()]
)
async def test_what_is_told_for_the_record_alone_is_on_it_and_not_in_the_reply(fails: Exception | None) -> None:
    room = Room(100_000)
    record = _asked(room, fails)
    out = record.take_report(_reply(structuredContent=ANSWER, isError=False, _meta=TOLD))
    assert out == _reply(structuredContent=ANSWER, isError=False), "byte for byte as without a record"
    record.keep(out)
    await record.complete()
    record.end(CALL, usage_of("call_1", NOW), None)
    row, documents, _ = rows_of(room.written[0])
    content = json.loads(row["content"])
    assert (row["prompt"], row["answered_by"]) == ("answer.v3", "m")
    assert [(hit["chunk_id"], hit["revision"], hit["text"]) for hit in content["hits"]] == [("c", 3, "Four.")]
    assert [one["document_id"] for one in documents] == ["d"]
    assert "receipt" not in content["report"]
    if fails is None:
        assert content["receipt"]["tokens"]["prompt"] == 70
        assert (content["receipt"]["cost_usd"], content["receipt"]["attempts"]) == ("0.0000005", [ASKED.model_dump()])
    assert room.left == 100_000


def test_a_reply_that_tells_nothing_beside_goes_out_untouched() -> None:
    for reply in (b"", b"no JSON", b'{"jsonrpc": "2.0",  "id": 1, "result": {"isError": true}}', b'{"result": []}'):
        assert _asked(Room(100_000)).take_report(reply) == reply
