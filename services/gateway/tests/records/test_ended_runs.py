from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from services.gateway.tests.proxy.test_ask_record import Room

from contracts.access.guardrails import Guardrails
from contracts.agents.runs import EndedRun, Run
from contracts.models.receipts import Attempt, TokenCounts
from gateway.auth.keys import Principal
from gateway.records import ended_runs
from gateway.records.content import rows_of, user_hash
from gateway.usage.inner_calls import Spent

MASKING = Guardrails.model_validate({"input": {"pii": "redact"}, "output": {"pii": "redact"}})
KEY = Principal("k1", "acme", frozenset(("agents",)), records="full", guardrails=MASKING)
SPENT = Spent(TokenCounts(prompt=70, completion=8), 500, (Attempt(model="m", upstream="x", outcome="ok", ms=3),), True)


def _run(**changes: Any) -> Run:
    facts = {
        "id": "run_1", "thread_id": "t1", "agent": "helper", "agent_version": 2, "prompt": "house@3", "steps": 4,
        "status": "completed", "input": "Write to jane@acme.example.", "output": "Sent to jane@acme.example.",
        "active_seconds": 1.5, "created_at": datetime(2026, 1, 2, tzinfo=UTC),
    }  # fmt: skip
    return Run.model_validate({**facts, **changes})


def _recorded(run: Run, key: Principal = KEY, *sources: dict[str, Any]) -> dict[str, Any] | None:
    room = Room(20_000)
    ended = EndedRun.model_validate({"grant": "g", "run": run.model_dump(), "sources": sources})
    ended_runs.record(room, key, "req_1", ended, SPENT)
    row, documents = rows_of(room.written[0])[:2] if room.written else (None, [])
    assert room.left == 20_000
    assert {one["document_id"] for one in documents} == {one["document_id"] for one in sources}
    return row


def test_a_run_is_on_record_as_a_completion_of_its_agent_would_be_masked_and_with_what_it_cost() -> None:
    row = _recorded(_run())
    assert row is not None
    assert (row["id"], row["model"], row["prompt"], row["ms"]) == ("run_1", "agent:helper@2", "house@3", 1500)
    assert (row["status"], row["error_type"], row["request_id"]) == (200, None, "req_1")
    assert "jane" not in row["question"] + row["answer"] + row["content"]
    assert row["answer"].startswith("Sent to")
    content = json.loads(row["content"])
    assert (content["report"]["thread_id"], content["report"]["steps"]) == ("t1", 4)
    assert (content["receipt"]["tokens"]["prompt"], content["receipt"]["cost_usd"]) == (70, "0.0000005")
    assert [one["model"] for one in content["receipt"]["attempts"]] == ["m"]


@pytest.mark.parametrize(
    ("changes", "status", "error_type", "code"),
    [
        ({"status": "limit_reached", "limit": "steps"}, 200, None, None),
        ({"status": "failed", "error": {"code": "no_model", "message": "Gone."}}, 502, "upstream_error", "no_model"),
        ({"status": "cancelled", "output": None}, 409, "conflict", "run_cancelled"),
    ],
)
def test_how_a_run_ended_is_on_record(changes: dict[str, Any], status: int, error_type: str, code: str) -> None:
    row = _recorded(_run(**changes))
    assert row is not None
    assert (row["status"], row["error_type"]) == (status, error_type)
    assert (json.loads(row["content"])["error"] or {}).get("code") == code


def test_a_run_names_the_passages_that_it_was_made_from_their_collections_and_for_whom_it_was() -> None:
    facts = {"revision": 3, "start": 0, "end": 5, "chunk_id": "c"}
    found = {**facts, "collection": "hb", "document_id": "leave", "title": "Leave", "text": "27 days", "score": 0.5}
    read = {**facts, "collection": "Of another time", "document_id": "sick", "text": "Ask jane@acme.example."}
    row = _recorded(_run(user="jane@acme.example"), KEY, found, read)
    assert row is not None
    assert row["collections"] == ",hb,"
    assert row["user_hash"] == user_hash("acme", "jane@acme.example")
    assert "jane" not in row["user"] + row["content"], "masked as all else"
    first, second = json.loads(row["content"])["hits"]
    assert {name: first[name] for name in found} == found
    assert (first["cited"], second["revision"], second["score"]) == (False, 3, None)
    wordless = _recorded(_run(), replace(KEY, records="metadata"), found)
    assert wordless is not None
    (hit,) = json.loads(wordless["content"])["hits"]
    assert (hit["document_id"], hit["text"], hit["title"]) == ("leave", None, None)


def test_a_key_that_wants_no_records_any_more_has_none_and_one_without_words_has_none_of_them() -> None:
    assert _recorded(_run(), Principal("k1", "acme", frozenset(("agents",)))) is None
    row = _recorded(_run(), Principal("k1", "acme", frozenset(("agents",)), records="metadata"))
    assert row is not None
    assert (row["question"], row["answer"]) == (None, None)
    assert "Sent" not in row["content"]
