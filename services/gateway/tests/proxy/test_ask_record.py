from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from services.gateway.tests.records.recordings import recording, usage_of

from contracts.models.versions import ModelVersion
from gateway.proxy.ask_record import AskRecord
from gateway.records.content import rows_of
from gateway.records.recording import MOST_ANSWER_BYTES, Recording

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CALL: Any = SimpleNamespace(prompt=None, answered_by=ModelVersion())


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


def _recorded(room: Room, *pieces: bytes) -> dict[str, Any]:
    asked = recording(room, "chatcmpl_0", NOW)
    asked.begin()
    record = AskRecord(asked)
    for piece in pieces:
        record.keep(piece)
    record.end(CALL, usage_of("call_1", NOW), None)
    return rows_of(room.written[0])[0]


def _reply(**result: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


def test_an_answer_in_pieces_is_on_record_and_its_memory_is_given_back() -> None:
    room = Room(100_000)
    body = _reply(structuredContent={"id": "chatcmpl_7", "answer": "Four.", "citations": [], "collections": ["a"]})
    row = _recorded(room, body[:20], body[20:])
    assert (row["id"], row["answer"], row["collections"], row["error_type"]) == ("chatcmpl_7", "Four.", ",a,", None)
    assert room.left == 100_000


def test_a_tool_that_failed_is_an_error_though_its_status_is_200() -> None:
    row = _recorded(Room(100_000), _reply(isError=True, content=[{"type": "text", "text": "There are none."}]))
    assert (row["error_type"], row["status"]) == ("tool_failed", 200)
    assert "There are none." in row["content"]


def test_a_reply_for_which_there_is_no_room_is_not_kept_and_holds_none() -> None:
    for room, piece in ((Room(2_000), b"x" * 4_000), (Room(9 << 20), b"x" * (MOST_ANSWER_BYTES + 1))):
        before = room.left
        row = _recorded(room, b"{", piece, piece)
        assert '"truncated":true' in row["content"]
        assert room.left == before
