"""The packaged embedding model learns in a running home what people call things, and a collection is searched by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection
from groundwork.errors import ApiError

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


def test_what_people_call_things_is_learnt_and_found_without_embedding_a_document_again(
    home: RunningHome, http: httpx2.Client, nicknames: Nicknames
) -> None:
    client = home.client
    saved = http.post("/v1/question-sets", json={"name": MANUALS, "items": _questions(nicknames.documents)})
    assert saved.status_code == 201, saved.text
    before = _first(home, nicknames, ASKS[0])
    started = client.tuning.start(
        MANUALS, "minilm", method="embedding", collection=MANUALS, suffix=MANUALS, seed=7, hyperparameters={"l2": 1}
    )
    job = client.tuning.wait(started.id, timeout=SECONDS)
    assert (job.status, job.error) == ("succeeded", None)
    report = job.groundwork
    assert (report.verdict, report.kind) == ("better", "embedding"), report.words
    artifact = json.loads(http.get(f"/v1/fine_tuning/jobs/{job.id}/artifact").content)
    assert report.base == artifact["embedding_digest"] == client.model("minilm").digest
    assert (job.fine_tuned_model, report.not_published) == (MODEL, None)
    served = client.model(MODEL)
    assert (served.kind, served.embedding_model, served.asymmetric) == ("embedding", "minilm", True)
    moved = client.jobs.wait(client.collections.reindex(MANUALS, embedding_model=MODEL).id, timeout=SECONDS)
    assert moved.status == "ready"
    assert client.collections.get(MANUALS).embedding_model == MODEL
    after = _first(home, nicknames, ASKS[0])
    assert after > before + 3, (before, after)
    assert after >= len(TOPICS) * 0.75
    client.jobs.wait(client.collections.reindex(MANUALS, embedding_model="minilm").id, timeout=SECONDS)
    assert _first(home, nicknames, ASKS[0]) == before, "there is a way back"
    client.tuning.delete(job.id)


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
