from __future__ import annotations

from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, client_of, page

from groundwork.client.improvement import polling
from groundwork.errors import WaitTimeout

AT = "2026-01-01T00:00:00Z"
QUEUED: dict[str, Any] = {
    "id": "eval_1", "status": "queued", "question_set": "policies", "version": 2, "target": {"model": "rag:handbook"},
    "questions": 3, "done": 0, "key_id": "k", "created_at": AT,
}  # fmt: skip
DONE = {**QUEUED, "status": "completed", "done": 3}
COMPARED = {"first": "eval_1", "second": "eval_2", "same_version": True, "measures": []}


def test_an_evaluation_is_started_followed_compared_and_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "POLL_SECONDS", 0)
    answers = [httpx2.Response(202, json=QUEUED), *(httpx2.Response(200, json=one) for one in (QUEUED, DONE))]
    rest = [page(DONE), page({"question_id": "a", "question": "One?"}), httpx2.Response(200, json=COMPARED)]
    server = Recorder(*answers, *rest, httpx2.Response(202, json=DONE), httpx2.Response(204))
    with client_of(server) as client:
        runs = client.evaluations
        made = runs.start("policies", "rag:handbook", version=2, groundwork={"mode": "sparse"}, budget_usd="1")
        assert runs.wait(made.id).status == "completed"
        assert [one.id for one in runs.list(question_set="policies")] == ["eval_1"]
        assert [one.question for one in runs.answers("eval_1", measure="answer_found", other_id="eval_2")] == ["One?"]
        assert runs.compare("eval_1", "eval_2").same_version
        runs.cancel("eval_1")
        runs.delete("eval_1")
    assert [call.partition("?")[0] for call in server.calls] == [
        "POST /v1/evaluations",
        "GET /v1/evaluations/eval_1",
        "GET /v1/evaluations/eval_1",
        "GET /v1/evaluations",
        "GET /v1/evaluations/eval_1/answers",
        "GET /v1/evaluations/eval_1/compare",
        "POST /v1/evaluations/eval_1/cancel",
        "DELETE /v1/evaluations/eval_1",
    ]
    assert {"measure": "answer_found", "with": "eval_2"}.items() <= dict(server.asked[4].url.params).items()
    assert dict(server.asked[5].url.params) == {"with": "eval_2"}


def test_one_that_takes_too_long_goes_on_and_the_wait_ends() -> None:
    client = client_of(lambda _: httpx2.Response(200, json={**QUEUED, "done": 1}))
    with client, pytest.raises(WaitTimeout, match="1 of 3 questions"):
        client.evaluations.wait("eval_1", timeout=-1)
