"""The packaged embedding model learns in a running home what people call things, and a collection is searched by it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2
import psutil
import pytest
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

from contracts.improvement.tuning import FINAL_FINE_TUNING_STATUSES, FineTuningJob
from contracts.retrieval.collections import Collection
from groundwork.errors import ApiError, Unreachable

SECONDS = 600
MANUALS, MODEL = "nicknames", "minilm+nicknames"
TOPICS = {
    "dental": ("Kestrel", "Dental treatment is paid back up to 400 euros a year, once a receipt is handed in."),
    "parking": ("Marigold", "A parking space behind the station costs 30 euros a month and is given out by lot."),
    "canteen": ("Tundra", "Lunch in the canteen is served from noon to two and costs 6 euros."),
    "laptop": ("Quartz", "A broken laptop is exchanged on the same day at the counter on the first floor."),
    "leave": ("Lantern", "Parents of a newborn may stay at home for twelve weeks at full wages."),
    "travel": ("Pelican", "Train tickets in first class need the approval of a head of department."),
    "gym": ("Saffron", "The sports hall is open to all employees on Tuesday and Thursday evenings."),
    "language": ("Obsidian", "Language courses are free in the first year of employment."),
    "library": ("Bramble", "Books are lent for three weeks, and journals are read on the spot."),
    "shuttle": ("Cobalt", "The bus to the airport leaves the main gate every forty minutes."),
    "pension": ("Heron", "The company adds five percent of the salary to the old age provision."),
    "badge": ("Juniper", "A lost badge is reported to the gate, where a new one is printed."),
}
ASKS = ("What is {}?", "How do I get {}?", "Tell me about {}", "Who may have {}?", "What are the rules of {}?")
HELD_OUT = 2
"""Of the ways to ask; the others are learnt from."""


@dataclass(frozen=True)
class Nicknames:
    """A collection, its questions' set, and the ids of its documents."""

    collection: Collection
    documents: dict[str, str]


LORA: dict[str, Any] = {"form": "lora", "n_epochs": 12, "learning_rate_multiplier": 2}
"""Of few questions that are alike, in so many words that the model does not know."""


@pytest.fixture(scope="module")
def nicknames(home: RunningHome) -> Iterator[Nicknames]:
    client = home.client
    client.collections.create(MANUALS, embedding_model="minilm")
    added = {name: client.documents.add_text(MANUALS, text, title=name) for name, (_, text) in TOPICS.items()}
    for accepted in added.values():
        client.jobs.wait(accepted.job.id, timeout=SECONDS)
    yield Nicknames(client.collections.get(MANUALS), {name: one.document.id for name, one in added.items()})
    client.collections.delete(MANUALS)
    with pytest.raises(ApiError):
        client.collections.get(MANUALS)
    if MODEL in {model.id for model in client.models()}:
        client.delete_model(MODEL)


def _questions(documents: dict[str, str]) -> list[dict[str, Any]]:
    splits = ["test"] * HELD_OUT + ["train"] * (len(ASKS) - HELD_OUT)
    return [
        {"question": ask.format(TOPICS[name][0]), "documents": [document], "split": split}
        for name, document in documents.items()
        for ask, split in zip(ASKS, splits, strict=True)
    ]


def _first(home: RunningHome, nicknames: Nicknames, ask: str) -> int:
    """How many are asked for by what people call them, and found first by meaning."""
    right = 0
    for name, document in nicknames.documents.items():
        hits = home.client.search(MANUALS, ask.format(TOPICS[name][0]), mode="dense", limit=1).hits
        right += hits[0].document_id == document
    return right


@pytest.mark.parametrize("hyperparameters", [{"l2": 1}, LORA], ids=["projection", "lora"])
def test_what_people_call_things_is_learnt_and_found_without_embedding_a_document_again(
    home: RunningHome, http: httpx2.Client, nicknames: Nicknames, hyperparameters: dict[str, Any]
) -> None:
    client = home.client
    form, name = hyperparameters.get("form", "projection"), f"nicknames-{len(hyperparameters)}"
    suffix = MANUALS if form == "projection" else f"{MANUALS}-lora"
    model = f"minilm+{suffix}"
    saved = http.post("/v1/question-sets", json={"name": name, "items": _questions(nicknames.documents)})
    assert saved.status_code == 201, saved.text
    before = _first(home, nicknames, ASKS[0])
    started = client.tuning.start(
        name,
        "minilm",
        method="embedding",
        collection=MANUALS,
        suffix=suffix,
        seed=7,
        skip_leaks=True,
        hyperparameters=hyperparameters,
    )
    job = client.tuning.wait(started.id, timeout=SECONDS)
    assert (job.status, job.error) == ("succeeded", None)
    report = job.groundwork
    assert (report.verdict, report.kind) == ("better", "embedding"), report.words
    artifact = json.loads(http.get(f"/v1/fine_tuning/jobs/{job.id}/artifact").content)
    assert report.base == artifact["embedding_digest"] == client.model("minilm").digest
    assert (job.fine_tuned_model, report.not_published) == (model, None)
    assert (report.parity or "").startswith("passed: 100.0%" if form == "lora" else "")
    until(lambda: model in {one.id for one in client.models()}, "the tuned model")
    served = client.model(model)
    assert (served.kind, served.embedding_model, served.asymmetric) == ("embedding", "minilm", True)
    moved = client.jobs.wait(client.collections.reindex(MANUALS, embedding_model=model).id, timeout=SECONDS)
    assert moved.status == "ready"
    assert client.collections.get(MANUALS).embedding_model == model
    after = _first(home, nicknames, ASKS[0])
    assert after > before + 3, (before, after)
    assert after >= len(TOPICS) * 0.75
    client.jobs.wait(client.collections.reindex(MANUALS, embedding_model="minilm").id, timeout=SECONDS)
    assert _first(home, nicknames, ASKS[0]) == before, "there is a way back"
    client.tuning.delete(job.id)


def _read(home: RunningHome) -> int:
    """Tokens of the model that its jobs have read to learn, as the ledger has them."""
    return sum(row.prompt_tokens for row in home.client.usage(group_by="model") if row.group == "minilm")


def _kill(home: RunningHome, service: str) -> None:
    with suppress(psutil.NoSuchProcess, KeyError):
        psutil.Process(home.supervisor.processes()[service].pid).kill()


def _is(home: RunningHome, job_id: str, so: Callable[[FineTuningJob], bool]) -> bool:
    """Asked of services that may be away for a moment."""
    with suppress(ApiError, Unreachable):
        return so(home.client.tuning.get(job_id))
    return False


def _has_done(steps: int, job: FineTuningJob) -> bool:
    return job.groundwork.done > steps or _has_ended(job)


def _has_ended(job: FineTuningJob) -> bool:
    return job.status in FINAL_FINE_TUNING_STATUSES


def test_jobs_of_a_lab_and_a_gateway_that_are_killed_are_charged_once(
    home: RunningHome, http: httpx2.Client, nicknames: Nicknames
) -> None:
    client, jobs = home.client, list[FineTuningJob]()
    saved = http.post("/v1/question-sets", json={"name": "killed", "items": _questions(nicknames.documents)})
    assert saved.status_code == 201, saved.text
    before = _read(home)
    for kills in (0, 3):
        started = client.tuning.start(
            "killed", "minilm", method="embedding", collection=MANUALS, suffix="killed", skip_leaks=True, seed=7
        )
        for killed in range(kills):
            until(partial(_is, home, started.id, partial(_has_done, killed)), "it gets on", SECONDS)
            _kill(home, "lab")
            _kill(home, "gateway")
        until(partial(_is, home, started.id, _has_ended), "its end", SECONDS)
        job = client.tuning.get(started.id)
        assert (job.status, job.error) == ("succeeded", None)
        jobs.append(job)
        client.tuning.delete(job.id)
    read = [job.trained_tokens or 0 for job in jobs]
    assert read[0] == read[1] > 0
    owed = sum(read)
    until(lambda: _read(home) - before >= owed, "a gateway that was away has them", SECONDS)
    assert _read(home) - before == owed


def test_a_set_without_documents_a_collection_that_is_not_there_and_one_of_another_model_say_so(
    home: RunningHome, http: httpx2.Client, nicknames: Nicknames
) -> None:
    bare = [{"question": f"What is the number {n}?", "answers": [str(n)]} for n in range(20)]
    assert http.post("/v1/question-sets", json={"name": "bare", "items": bare}).status_code == 201
    named = [{"question": f"Where is room {n}?", "documents": [f"doc_{n}"]} for n in range(20)]
    assert http.post("/v1/question-sets", json={"name": "named", "items": named}).status_code == 201
    cases = [
        ("bare", "minilm", MANUALS, "nothing_to_learn"),
        ("named", "minilm", MANUALS, "collection_unfit"),
        ("named", "multilingual-e5-small", MANUALS, "collection_unfit"),
        ("named", "minilm", "no-such-collection", "collection_not_found"),
        ("named", "minilm", None, "collection_unnamed"),
        ("named", "smollm2", MANUALS, "not_an_embedding_model"),
    ]
    for name, model, collection, code in cases:
        started = home.client.tuning.start(name, model, method="embedding", collection=collection)
        job = home.client.tuning.wait(started.id, timeout=SECONDS)
        assert (job.status, job.error and job.error.code) == ("failed", code), (name, model, collection, job.error)
        home.client.tuning.delete(job.id)
