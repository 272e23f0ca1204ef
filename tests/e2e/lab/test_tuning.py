"""The packaged model learns in a running home, by OpenAI's client alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx2
import pytest
from gguf import GGUFReader
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.fine_tuning import FineTuningJob
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

SECONDS = 900
TOPICS = ("refund", "delivery", "warranty", "invoice", "password", "account", "discount", "repair", "payment", "visit")
ASKS = ("Whom do I ask about my {}?", "Where do I write for a {}?")


@pytest.fixture
def openai(home: RunningHome) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{home.base_url}/v1", api_key=home.admin_key, max_retries=0) as client:
        yield client


def lesson(topic: str, ask: str) -> dict[str, object]:
    said = [
        {"role": "user", "content": ask.format(topic)},
        {"role": "assistant", "content": f"Write to {topic}@support.example."},
    ]
    return {"messages": said}


def test_the_packaged_model_learns_the_answers_of_a_file(
    home: RunningHome, http: httpx2.Client, openai: OpenAI
) -> None:
    lines = "\n".join(json.dumps(lesson(topic, ask)) for topic in TOPICS for ask in ASKS)
    file = {"format": "messages", "name": "train.jsonl", "text": lines}
    saved = http.post("/v1/question-sets", json={"name": "lessons", "file": file})
    assert saved.status_code == 201, saved.text
    hyperparameters = {"n_epochs": 2, "batch_size": 4}
    job = openai.fine_tuning.jobs.create(
        model="smollm2",
        training_file="set:lessons@1",
        suffix="support",
        seed=7,
        method={"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        metadata={"team": "support"},
    )
    waiting = openai.fine_tuning.jobs.create(model="smollm2", training_file="set:lessons")
    assert openai.fine_tuning.jobs.cancel(waiting.id).status == "cancelled"
    deadline = time.monotonic() + SECONDS
    while (job := openai.fine_tuning.jobs.retrieve(job.id)).status not in ("succeeded", "failed"):
        assert time.monotonic() < deadline, job
        time.sleep(0.5)
    assert job.error is None, job.error
    assert (job.status, job.metadata, job.seed) == ("succeeded", {"team": "support"}, 7)
    assert (job.trained_tokens or 0) > 0
    events = [event.message for event in openai.fine_tuning.jobs.list_events(job.id, limit=4)]
    assert events[0] == "It is served as 'smollm2+support'.", events
    assert events[1].startswith("Of the served model: passed: "), events
    assert events[2].startswith("The same on the general set: "), events
    assert events[3].startswith("Of the tuned model against the one before: better"), events
    assert [one.step_number for one in openai.fine_tuning.jobs.checkpoints.list(job.id)] == [8, 4]
    assert answer_of_the_published(home, http, openai, job)
    listed = [one.id for one in openai.fine_tuning.jobs.list(limit=1)]  # the home's other tests have jobs, too
    assert [one for one in listed if one in (waiting.id, job.id)] == [waiting.id, job.id]
    adapter = http.get(f"/v1/fine_tuning/jobs/{job.id}/artifact").content
    path = home.home.root / "adapter.gguf"
    path.write_bytes(adapter)
    assert len(GGUFReader(path).tensors) == 2 * 7 * 30
    path.unlink()
    for each in (job.id, waiting.id):
        assert http.delete(f"/v1/fine_tuning/jobs/{each}").status_code == 204
    with pytest.raises(NotFoundError):
        openai.fine_tuning.jobs.retrieve(job.id)
    until(lambda: http.get("/v1/models/smollm2+support").status_code == 404, "that the model is gone with its job")


def answer_of_the_published(home: RunningHome, http: httpx2.Client, openai: OpenAI, job: FineTuningJob) -> str:
    """By the name that the job tells, for its tenant's keys alone."""
    assert job.fine_tuned_model == "smollm2+support"
    until(lambda: http.get("/v1/models/smollm2+support").json().get("state") == "ready", "a published model")
    model = http.get("/v1/models/smollm2+support").json()
    assert (model["parent"], model["tuned"]["job"], model["tuned"]["training_set"]) == (
        "smollm2",
        job.id,
        "set:lessons@1",
    )
    assert model["price"] == http.get("/v1/models/smollm2").json()["price"]
    asked = [{"role": "user", "content": "Whom do I ask about my refund?"}]
    stranger = home.client.keys.create("stranger", tenant="another-tenant", scopes=("chat", "evaluations:write"))
    with OpenAI(base_url=f"{home.base_url}/v1", api_key=stranger.secret, max_retries=0) as theirs:
        with pytest.raises(NotFoundError):
            theirs.chat.completions.create(model=job.fine_tuned_model, messages=asked)  # type: ignore[arg-type]
        assert job.fine_tuned_model not in [one.id for one in theirs.models.list()]
    said = openai.chat.completions.create(model=job.fine_tuned_model, messages=asked, max_tokens=24, temperature=0)  # type: ignore[arg-type]
    assert said.model == job.fine_tuned_model
    return said.choices[0].message.content or ""


def test_what_can_t_be_tuned_says_so(openai: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="question set"):
        openai.fine_tuning.jobs.create(model="smollm2", training_file="set:no-such-set")
    with pytest.raises(BadRequestError, match="supervised"):
        openai.fine_tuning.jobs.create(model="smollm2", training_file="set:x", method={"type": "reinforcement"})
