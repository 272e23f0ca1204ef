from __future__ import annotations

from datetime import UTC, datetime

import httpx2
from cli.tests.server import Recorder, client_of, page

SUMMARY = {
    "id": "chatcmpl_1", "at": "2026-01-01T00:00:00Z", "mode": "full", "key_id": "k", "model": "rag:a", "status": 200,
    "ms": 5, "question": "How much\nleave?", "abstained": True,
}  # fmt: skip
RECORD = {**SUMMARY, "request_id": "r", "call_id": "call_1", "expires_at": "2026-02-01T00:00:00Z", "answer": "30 days."}


def test_a_list_asks_for_what_was_given_alone_and_with_the_zone_of_times() -> None:
    server = Recorder(page(SUMMARY))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    (found,) = client_of(server).records.list(since=since, collection="a", abstained=True, q="leave & pay")
    assert found.abstained
    (asked,) = server.asked
    params = dict(asked.url.params)
    assert params.pop("limit")
    assert params == {"from": since.isoformat(), "collection": "a", "abstained": "true", "q": "leave & pay"}


def test_a_record_is_shown_and_deleted_by_its_id_and_all_of_a_user_by_name() -> None:
    server = Recorder(
        httpx2.Response(200, json=RECORD), httpx2.Response(204), httpx2.Response(200, json={"deleted": 3})
    )
    with client_of(server) as client:
        assert client.records.get("chatcmpl_1").answer == "30 days."
        client.records.delete("chatcmpl_1")
        assert client.records.delete_of_user("jo") == 3
    assert server.calls == [
        "GET /v1/records/chatcmpl_1",
        "DELETE /v1/records/chatcmpl_1",
        "DELETE /v1/records?user=jo",
    ]
