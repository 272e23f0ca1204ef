"""The packaged reader learns in a running home which notices of a collection answer, and answers are judged by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

from contracts.models.chat import AnswerOptions
from groundwork.errors import ApiError

SECONDS = 600
NOTICES, MODEL = "notices", "reader+notices"
THINGS = (
    "parking space", "locker", "bicycle stand", "meeting room", "projector", "canteen lunch", "language course",
    "gym pass", "guest badge", "laptop bag", "desk lamp", "monitor arm", "printed poster", "train card", "boat trip",
    "garden plot", "workshop seat", "piano hour", "sauna evening", "tool box",
)  # fmt: skip
HELD_OUT = 8


def _price(number: int) -> int:
    return 31 + 7 * number


@pytest.fixture(scope="module")
def notices(home: RunningHome) -> Iterator[dict[str, str]]:
    """Each price stands in two notices of the same words, one of which was withdrawn; the ids of those that hold."""
    client = home.client
    client.collections.create(NOTICES, embedding_model="minilm")
    accepted, holding = [], {}
    for number, thing in enumerate(THINGS):
        for state, price in (("Withdrawn notice", _price(number) + 500), ("Notice in force", _price(number))):
            added = client.documents.add_text(
                NOTICES, f"{state}. The price of a {thing} is {price} euros a month.", title=f"{state} {number}"
            )
            accepted.append(added)
        holding[thing] = added.document.id
    for one in accepted:
        client.jobs.wait(one.job.id, timeout=SECONDS)
    yield holding
    client.collections.delete(NOTICES)
    with pytest.raises(ApiError):
        client.collections.get(NOTICES)
    with suppress(ApiError):  # it went with its job
        client.delete_model(MODEL)


def _questions(holding: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "question": f"What is the price of a {thing}?",
            "answers": [f"{_price(number)} euros"],
            "documents": [holding[thing]],
            "split": "test" if number < HELD_OUT else "train",
        }
        for number, thing in enumerate(THINGS)
    ]


def test_which_notices_answer_is_learnt_and_answers_that_name_the_tuned_reader_are_judged_by_it(
    home: RunningHome, http: httpx2.Client, notices: dict[str, str]
) -> None:
    client = home.client
    saved = http.post("/v1/question-sets", json={"name": NOTICES, "items": _questions(notices)})
    assert saved.status_code == 201, saved.text
    started = client.tuning.start(
        NOTICES, "reader", method="reading", collection=NOTICES, suffix=NOTICES, seed=7, hyperparameters={"l2": 10}
    )
    job = client.tuning.wait(started.id, timeout=SECONDS)
    assert (job.status, job.error) == ("succeeded", None)
    report = job.groundwork
    assert (report.verdict, report.kind) == ("better", "reading"), report.words
    assert report.figures["auc"] > 0.9 > 0.7 > report.figures["auc_before"]
    assert report.figures["first"] > 0.9, "the notice in force goes before the one that was withdrawn"
    assert (job.fine_tuned_model, report.not_published) == (MODEL, None)
    until(lambda: MODEL in {one.id for one in client.models()}, "the tuned reader")
    served = client.model(MODEL)
    assert (served.kind, served.parent, report.base) == ("reading", "reader", client.model("reader").digest)
    options = AnswerOptions(reader=MODEL, include=["receipt"])
    for number, thing in enumerate(THINGS[:HELD_OUT]):
        answer = client.ask(NOTICES, f"What is the price of a {thing}?", options)
        told = re.findall(r"\d+ euros", answer.text)
        assert told[:1] == [f"{_price(number)} euros"], f"the withdrawn price is told behind it, if at all: {told}"
        assert answer.report is not None
        assert answer.report.receipt is not None
        assert (answer.report.receipt.degraded, answer.report.receipt.tokens.reading > 0) == ([], True)
    with pytest.raises(ApiError, match=r"reader\+nobody"):
        client.ask(NOTICES, "What is the price of a locker?", AnswerOptions(reader="reader+nobody"))
    client.tuning.delete(job.id)


def test_models_that_can_t_learn_to_read_and_collections_that_are_not_there_say_so(
    home: RunningHome, http: httpx2.Client, notices: dict[str, str]
) -> None:
    lost = [{**one, "answers": ["nothing"]} for one in _questions(notices)]
    assert http.post("/v1/question-sets", json={"name": "lost", "items": lost}).status_code == 201
    cases = [
        (NOTICES, "minilm", NOTICES, "not_a_reading_model"),
        (NOTICES, "reader", "no-such-collection", "collection_not_found"),
        (NOTICES, "reader", None, "collection_unnamed"),
        ("lost", "reader", NOTICES, "too_few_examples"),
    ]
    for name, model, collection, code in cases:
        started = home.client.tuning.start(name, model, method="reading", collection=collection)
        job = home.client.tuning.wait(started.id, timeout=SECONDS)
        assert (job.status, job.error and job.error.code) == ("failed", code), (name, model, collection, job.error)
        home.client.tuning.delete(job.id)
