"""Tickets are classified in a running home: by labels alone, then by a head that a job learnt from 16 of each topic."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from openai import OpenAI
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

TICKETS = Path(__file__).resolve().parents[3] / "examples" / "support-tickets.csv"
SECONDS = 300
NAME = "minilm+triage"


@pytest.fixture
def head(home: RunningHome) -> Iterator[str]:
    yield NAME
    home.client.delete_model(NAME)  # its job stays, with what it learnt


def test_a_head_learnt_from_sixteen_tickets_of_each_topic_is_served(
    home: RunningHome, http: httpx2.Client, head: str
) -> None:
    file = {"format": "csv", "name": TICKETS.name, "text": TICKETS.read_text(encoding="utf-8")}
    saved = http.post("/v1/question-sets", json={"name": "tickets", "file": file})
    assert saved.status_code == 201, saved.text
    with OpenAI(base_url=f"{home.base_url}/v1", api_key=home.admin_key, max_retries=0) as client:
        jobs = client.fine_tuning.jobs
        method = {"type": "classification"}
        job = jobs.create(model="minilm", training_file="set:tickets@1", suffix="triage", seed=7, method=method)  # type: ignore[arg-type]
        deadline = time.monotonic() + SECONDS
        while (job := jobs.retrieve(job.id)).status not in ("succeeded", "failed"):
            assert time.monotonic() < deadline, job
            time.sleep(0.2)
        events = [event.message for event in jobs.list_events(job.id, limit=3)]
    assert job.error is None, job.error
    assert events[1].startswith("Of the tuned model against the one before: better"), events
    assert (job.fine_tuned_model, events[0]) == (head, f"It is served as '{head}'.")
    until(lambda: http.get(f"/v1/models/{head}").status_code == 200, "a published model")
    model = home.client.model(head)
    assert (model.state, model.embedding_model, model.parent) == ("ready", "minilm", "minilm")
    held_out = [row for row in _tickets() if row["split"] == "test"]
    found = home.client.classify([row["text"] for row in held_out], model=head)
    right = [one.label == row["label"] for one, row in zip(found, held_out, strict=True)]
    assert sum(right) / len(right) >= 0.85
    by_labels = home.client.classify(["My parcel has not come yet."], ["a late parcel", "a broken lamp"])
    assert by_labels[0].label == "a late parcel"


def _tickets() -> list[dict[str, str]]:
    with TICKETS.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))
