from __future__ import annotations

import json
from typing import Any

import httpx2
from cli.tests.server import Recorder, client_of, page

AT = "2026-01-01T00:00:00Z"
MONITOR: dict[str, Any] = {
    "name": "handbook", "sample_percent": "20", "window_hours": 24, "baseline_days": 7, "metrics": {"support": None},
    "p": 0.001, "key_id": "k", "created_at": AT,
}  # fmt: skip


def test_a_monitor_is_made_read_and_deleted_and_its_worst_answers_named() -> None:
    worst = {"record": "chatcmpl_1", "at": AT, "model": "m", "value": 0.0}
    server = Recorder(
        httpx2.Response(201, json=MONITOR),
        page(MONITOR),
        httpx2.Response(200, json=MONITOR),
        page(worst),
        httpx2.Response(204),
    )
    with client_of(server) as client:
        made = client.monitors.create("handbook", metrics={"support": None}, model="rag:handbook", sample_percent="20")
        assert [one.name for one in client.monitors.list()] == [made.name]
        assert client.monitors.get("handbook").metrics == {"support": None}
        assert [one.record for one in client.monitors.worst("handbook", "support", limit=5)] == ["chatcmpl_1"]
        client.monitors.delete("handbook")
    assert json.loads(server.asked[0].content) == {
        "name": "handbook",
        "metrics": {"support": None},
        "model": "rag:handbook",
        "sample_percent": "20",
    }
    assert dict(server.asked[3].url.params) == {"metric": "support", "limit": "5"}
    assert [call.partition("?")[0] for call in server.calls] == [
        "POST /v1/monitors",
        "GET /v1/monitors",
        "GET /v1/monitors/handbook",
        "GET /v1/monitors/handbook/worst",
        "DELETE /v1/monitors/handbook",
    ]
