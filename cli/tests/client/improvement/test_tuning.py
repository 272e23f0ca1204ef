from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, client_of

from groundwork.client.improvement import polling
from groundwork.errors import WaitTimeout

QUEUED: dict[str, Any] = {
    "id": "ftjob_1", "created_at": 1, "status": "queued", "model": "smollm2", "training_file": "set:support@2",
    "hyperparameters": {}, "method": {"type": "supervised"}, "seed": 7, "organization_id": "acme",
    "groundwork": {"steps": 6, "done": 2},
}  # fmt: skip
DONE = {**QUEUED, "status": "succeeded"}


def listed(*data: Any, more: bool = False) -> httpx2.Response:
    return httpx2.Response(200, json={"object": "list", "data": list(data), "has_more": more})


def test_an_embedding_model_is_told_which_collection_it_learns_to_search() -> None:
    server = Recorder(httpx2.Response(200, json=QUEUED))
    with client_of(server) as client:
        client.tuning.start("asked", "minilm", method="embedding", collection="manuals", general="plain@2")
    sent = json.loads(server.asked[0].content)
    assert sent["method"] == {"type": "embedding", "embedding": {"hyperparameters": {}, "collection": "manuals"}}
    assert sent["groundwork"]["general_file"] == "set:plain@2"


def test_what_becomes_of_personal_data_is_said_where_it_is_chosen() -> None:
    server = Recorder(httpx2.Response(200, json=QUEUED))
    with client_of(server) as client:
        client.tuning.start("preferred", "smollm2", method="dpo", hyperparameters={"beta": 0.2}, sensitive="refuse")
    sent = json.loads(server.asked[0].content)
    assert sent["method"] == {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2}}}
    assert sent["groundwork"]["sensitive"] == "refuse"


def test_a_job_is_started_followed_and_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "POLL_SECONDS", 0)
    event = {"id": "ftjob_1.3", "created_at": 1, "message": "Step 3"}
    answers = [*(httpx2.Response(200, json=one) for one in (QUEUED, QUEUED, DONE))]
    rest = [listed(DONE, more=True), listed({**DONE, "id": "ftjob_0"}), listed(event)]
    ends = [httpx2.Response(200, content=b"GGUF"), httpx2.Response(200, json=DONE), httpx2.Response(204)]
    server = Recorder(*answers, *rest, *ends)
    with client_of(server) as client:
        jobs = client.tuning
        made = jobs.start("support", "smollm2", version=2, hyperparameters={"n_epochs": 2}, seed=7, skip_leaks=True)
        assert jobs.wait(made.id).status == "succeeded"
        assert [one.id for one in jobs.list()] == ["ftjob_1", "ftjob_0"]
        assert [one.message for one in jobs.events("ftjob_1")] == ["Step 3"]
        assert jobs.artifact("ftjob_1") == b"GGUF"
        jobs.cancel("ftjob_1")
        jobs.delete("ftjob_1")
    assert json.loads(server.asked[0].content) == {
        "model": "smollm2",
        "training_file": "set:support@2",
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}},
        "seed": 7,
        "groundwork": {"leaks": "skip", "publish": True},
    }
    assert dict(server.asked[4].url.params)["after"] == "ftjob_1"
    assert server.calls[-3:] == [
        "GET /v1/fine_tuning/jobs/ftjob_1/artifact",
        "POST /v1/fine_tuning/jobs/ftjob_1/cancel",
        "DELETE /v1/fine_tuning/jobs/ftjob_1",
    ]


def test_one_that_takes_too_long_goes_on_and_the_wait_ends() -> None:
    client = client_of(lambda _: httpx2.Response(200, json=QUEUED))
    with client, pytest.raises(WaitTimeout, match="2 of 6 steps"):
        client.tuning.wait("ftjob_1", timeout=-1)
