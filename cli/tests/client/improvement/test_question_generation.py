from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, client_of, page

from groundwork.client.improvement import polling
from groundwork.errors import WaitTimeout

AT = "2026-01-01T00:00:00Z"
QUEUED: dict[str, Any] = {
    "id": "gen_1", "status": "queued", "question_set": "policies", "collection": "handbook", "count": 5,
    "near_misses": 1, "model": "default", "within": 10, "seed": 0, "key_id": "k", "created_at": AT,
}  # fmt: skip
DONE = {**QUEUED, "status": "completed", "kept": 5, "states": {"proposed": 6}}
ITEM = {"number": 1, "state": "proposed", "made_by": "rule", "answerable": True, "question": "One?"}
SET: dict[str, Any] = {
    "name": "policies", "version": 2, "newest": 2, "questions": 1, "answerable": 1, "unanswerable": 0, "digest": "d",
    "key_id": "k", "created_at": AT, "updated_at": AT,
}  # fmt: skip


def test_a_run_is_started_followed_reviewed_and_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "POLL_SECONDS", 0)
    answers = [httpx2.Response(202, json=QUEUED), *(httpx2.Response(200, json=one) for one in (QUEUED, DONE))]
    rest = [page(DONE), page(ITEM), *[httpx2.Response(200, json=DONE)] * 2, httpx2.Response(201, json=SET)]
    server = Recorder(*answers, *rest, httpx2.Response(202, json=DONE), httpx2.Response(204))
    with client_of(server) as client:
        runs = client.question_generation
        made = runs.start("policies", "handbook", count=5, budget_usd=None)
        assert runs.wait("policies", made.id).status == "completed"
        assert [one.id for one in runs.list("policies")] == ["gen_1"]
        assert [one.question for one in runs.items("policies", "gen_1", state="proposed")] == ["One?"]
        many = [{"number": number, "state": "accepted"} for number in range(1, 202)]
        runs.review("policies", "gen_1", many, accept_all=True)
        assert runs.save("policies", "gen_1").version == 2
        runs.cancel("policies", "gen_1")
        runs.delete("policies", "gen_1")
    path = "/v1/question-sets/policies"
    assert [call.partition("?")[0] for call in server.calls] == [
        f"POST {path}/generate",
        *[f"GET {path}/generations/gen_1"] * 2,
        f"GET {path}/generations",
        f"GET {path}/generations/gen_1/items",
        *[f"POST {path}/generations/gen_1/review"] * 2,
        f"POST {path}/generations/gen_1/save",
        f"POST {path}/generations/gen_1/cancel",
        f"DELETE {path}/generations/gen_1",
    ]
    bodies = [json.loads(server.asked[at].content) for at in (0, 5, 6)]
    assert bodies[0] == {"collection": "handbook", "count": 5}
    assert [(len(one["decisions"]), one["accept_all"]) for one in bodies[1:]] == [(200, False), (1, True)]


def test_one_that_takes_too_long_goes_on_and_the_wait_ends() -> None:
    client = client_of(lambda _: httpx2.Response(200, json={**QUEUED, "kept": 2}))
    with client, pytest.raises(WaitTimeout, match="2 of 5 questions"):
        client.question_generation.wait("policies", "gen_1", timeout=-1)
