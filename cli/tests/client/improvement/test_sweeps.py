from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, client_of, page

from groundwork.client.improvement import polling
from groundwork.errors import WaitTimeout

QUEUED: dict[str, Any] = {
    "id": "sweep_1", "status": "queued", "collection": "handbook", "question_set": "policies", "version": 2,
    "choose_questions": 20, "confirm_questions": 20, "measure": "retrieval_ndcg_10", "questions": 100, "done": 7,
    "key_id": "k", "created_at": "2026-01-01T00:00:00Z",
}  # fmt: skip
DONE = {**QUEUED, "status": "completed", "may_apply": True}


def test_a_sweep_is_started_followed_applied_undone_and_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "POLL_SECONDS", 0)
    answers = [httpx2.Response(202, json=QUEUED), *(httpx2.Response(200, json=one) for one in (QUEUED, DONE))]
    rest = [page(DONE), *(httpx2.Response(200, json=DONE) for _ in range(2)), httpx2.Response(202, json=DONE)]
    server = Recorder(*answers, *rest, httpx2.Response(204))
    with client_of(server) as client:
        made = client.sweeps.start("handbook", "policies", {"mode": ["sparse"], "rerank": (True,)}, budget_usd="1")
        assert client.sweeps.wait(made.id).may_apply
        assert [one.id for one in client.sweeps.list(collection="handbook")] == ["sweep_1"]
        client.sweeps.apply("sweep_1")
        client.sweeps.revert("sweep_1")
        client.sweeps.cancel("sweep_1")
        client.sweeps.delete("sweep_1")
    assert [call.partition("?")[0] for call in server.calls] == [
        "POST /v1/sweeps",
        "GET /v1/sweeps/sweep_1",
        "GET /v1/sweeps/sweep_1",
        "GET /v1/sweeps",
        "POST /v1/sweeps/sweep_1/apply",
        "POST /v1/sweeps/sweep_1/revert",
        "POST /v1/sweeps/sweep_1/cancel",
        "DELETE /v1/sweeps/sweep_1",
    ]
    assert json.loads(server.asked[0].content) == {
        "collection": "handbook",
        "question_set": "policies",
        "settings": {"mode": ["sparse"], "rerank": [True]},
        "budget_usd": "1",
    }


def test_one_that_takes_too_long_goes_on_and_the_wait_ends() -> None:
    client = client_of(lambda _: httpx2.Response(200, json=QUEUED))
    with client, pytest.raises(WaitTimeout, match="7 of at most 100 questions"):
        client.sweeps.wait("sweep_1", timeout=-1)
