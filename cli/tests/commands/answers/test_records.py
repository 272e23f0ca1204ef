from __future__ import annotations

import json

import httpx2
from cli.tests.client.improvement.test_records import RECORD, SUMMARY
from cli.tests.server import Recorder, Serve, page
from cli.tests.terminal import output, sentence


def test_a_line_tells_id_time_model_end_and_question(serve: Serve) -> None:
    failed = {**SUMMARY, "id": "call_2", "error_type": "internal"}
    serve(Recorder(page(SUMMARY, failed)))
    first, second = output("records", "list", "leave", "--abstained").splitlines()
    assert first.split() == ["chatcmpl_1", "2026-01-01", "00:00", "rag:a", "abstained", "How", "much", "leave?"]
    assert second.split()[4] == "internal"


def test_a_record_is_shown_whole(serve: Serve) -> None:
    serve(Recorder(httpx2.Response(200, json=RECORD)))
    assert json.loads(output("records", "show", "chatcmpl_1"))["answer"] == "30 days."


def test_it_must_be_said_what_is_deleted(serve: Serve) -> None:
    server = Recorder(httpx2.Response(204), httpx2.Response(200, json={"deleted": 2}))
    serve(server)
    assert "Say which record" in sentence("records", "delete")
    assert "Say which record" in sentence("records", "delete", "chatcmpl_1", "--user", "jo")
    assert output("records", "delete", "chatcmpl_1") == "chatcmpl_1 is gone.\n"
    assert output("records", "delete", "--user", "jo") == "2 records are gone.\n"
