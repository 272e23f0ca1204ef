"""The packaged reader learns in a running home which notices of a collection answer, and answers are judged by it."""

from __future__ import annotations

import json
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
LORA: dict[str, Any] = {"form": "lora", "n_epochs": 10, "batch_size": 4, "learning_rate_multiplier": 2}
"""Of few questions that are alike."""
THINGS = (
    "parking space", "locker", "bicycle stand", "meeting room", "projector", "canteen lunch", "language course",
    "gym pass", "guest badge", "laptop bag", "desk lamp", "monitor arm", "printed poster", "train card", "boat trip",
    "garden plot", "workshop seat", "piano hour", "sauna evening", "tool box",
)  # fmt: skip
HELD_OUT, HOLDS, OLD, RAISED = 8, "Notice in force", "old ", 500


def _price(number: int) -> int:
    return 31 + 7 * number


@pytest.fixture(scope="module")
def notices(home: RunningHome) -> Iterator[dict[str, str]]:
    """Each price stands in two notices of the same words, one of which was withdrawn; the ids of those that hold, and
    under `old …` of the others."""
    client = home.client
    client.collections.create(NOTICES, embedding_model="minilm")
    accepted, holding = [], {}
    for number, thing in enumerate(THINGS):
        for state, price in (("Withdrawn notice", _price(number) + RAISED), (HOLDS, _price(number))):
            added = client.documents.add_text(
                NOTICES, f"{state}. The price of a {thing} is {price} euros a month.", title=f"{state} {number}"
            )
            accepted.append(added)
            holding[thing if state == HOLDS else f"{OLD}{thing}"] = added.document.id
    for one in accepted:
        client.jobs.wait(one.job.id, timeout=SECONDS)
    yield holding
    client.collections.delete(NOTICES)
    with pytest.raises(ApiError):
        client.collections.get(NOTICES)
    with suppress(ApiError):  # it went with its job
        client.delete_model(MODEL)


def _questions(holding: dict[str, str], more: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "question": f"What is the price of a {thing}?",
            "answers": [f"{_price(number) + more} euros"],
            "documents": [holding[thing]],
            "split": "test" if number < HELD_OUT else "train",
        }
        for number, thing in enumerate(THINGS)
    ]


@pytest.mark.parametrize(("suffix", "hyperparameters", "asked"), [(NOTICES, {"l2": 10}, HELD_OUT), ("lora", LORA, 3)])
def test_which_notices_answer_is_learnt_and_answers_that_name_the_tuned_reader_are_judged_by_it(
    home: RunningHome, http: httpx2.Client, notices: dict[str, str], suffix: str, hyperparameters: Any, asked: int
) -> None:
    """By `lora`, which is published by hand, the first answer loads an encoder, and may be judged without it."""
    client, model, has_encoder = home.client, f"reader+{suffix}", "form" in hyperparameters
    saved = http.post("/v1/question-sets", json={"name": suffix, "items": _questions(notices)})
    assert saved.status_code == 201, saved.text
    started = client.tuning.start(
        suffix, "reader", method="reading", collection=NOTICES, suffix=suffix, skip_leaks=True, seed=7,
        hyperparameters=hyperparameters, publish=not has_encoder,
    )  # fmt: skip
    job = client.tuning.wait(started.id, timeout=SECONDS)
    assert (job.status, job.error) == ("succeeded", None)
    report = job.groundwork
    assert (report.verdict, report.kind) == ("better", "reading"), report.words
    assert report.figures["auc"] > 0.9 > 0.7 > report.figures["auc_before"]
    assert report.figures["first"] > 0.9, "the notice in force goes before the one that was withdrawn"
    assert report.parity is not None
    assert report.parity.startswith("passed: 100.0% of the served chances are the trainer's")
    assert report.general is not None
    if has_encoder:
        assert (report.not_published and report.not_published.code) == "publish_off"
        job = client.tuning.publish(job.id)
    assert (job.fine_tuned_model, job.groundwork.not_published) == (model, None)
    until(lambda: model in {one.id for one in client.models()}, "the tuned reader")
    served = client.model(model)
    assert (served.kind, served.parent, report.base) == ("reading", "reader", client.model("reader").digest)
    options = AnswerOptions(reader=model, include=["receipt"])

    def is_judged_by_it() -> bool:
        answer = client.ask(NOTICES, "What is the price of a tool box?", options)
        return answer.report is not None and answer.report.receipt is not None and not answer.report.receipt.degraded

    until(is_judged_by_it, "an encoder of its own is loaded")
    right = 0
    for number, thing in enumerate(THINGS[:asked]):
        answer = client.ask(NOTICES, f"What is the price of a {thing}?", options)
        assert answer.report is not None
        assert answer.report.receipt is not None
        assert (answer.report.receipt.degraded, answer.report.receipt.tokens.reading > 0) == ([], True)
        told = re.findall(r"\d+ euros", answer.text)
        assert told[:1] in ([f"{_price(number)} euros"], []), f"the withdrawn price is told behind it: {told}"
        right += bool(told)
    assert right >= asked - has_encoder, "an encoder learns of twelve questions all but one"
    with pytest.raises(ApiError, match=r"reader\+nobody"):
        client.ask(NOTICES, "What is the price of a locker?", AnswerOptions(reader="reader+nobody"))
    client.tuning.delete(job.id)


@pytest.mark.parametrize(("suffix", "hyperparameters"), [("order", {"l2": 100}), ("order-lora", LORA)])
def test_the_order_of_notices_is_learnt_and_searches_that_name_the_tuned_model_have_it(
    home: RunningHome, http: httpx2.Client, notices: dict[str, str], suffix: str, hyperparameters: dict[str, Any]
) -> None:
    """These people ask for what was withdrawn, which searches find behind what is in force. That is learnt against what
    is plain otherwise, as the general set may say: it is published by hand."""
    client, withdrawn = home.client, {thing: notices[f"{OLD}{thing}"] for thing in THINGS}
    saved = http.post("/v1/question-sets", json={"name": suffix, "items": _questions(withdrawn, RAISED)})
    assert saved.status_code == 201, saved.text
    before, order = used(home), f"reader+{suffix}"
    started = client.tuning.start(
        suffix, "reader", method="rerank", collection=NOTICES, suffix=suffix, skip_leaks=True, seed=7,
        hyperparameters=hyperparameters, publish=False,
    )  # fmt: skip
    job = client.tuning.wait(started.id, timeout=SECONDS)
    assert (job.status, job.error) == ("succeeded", None)
    report = job.groundwork
    assert (report.verdict, report.kind) == ("better", "rerank"), report.words
    assert report.parity is not None
    assert report.parity.startswith("passed: 100.0% of the served chances are the trainer's")
    assert report.general is not None
    assert report.figures["retrieval_ndcg_10_after"] > 0.95
    artifact = json.loads(http.get(f"/v1/fine_tuning/jobs/{job.id}/artifact").content)
    assert (report.base, "lora" in artifact) == (artifact["reading_digest"], "form" in hyperparameters)
    assert (job.fine_tuned_model, client.tuning.publish(job.id).fine_tuned_model) == (None, order)
    until(lambda: order in {one.id for one in client.models()}, "the tuned rerank model")
    assert (client.model(order).kind, client.model(order).parent) == ("rerank", "reader")

    def first(thing: str, **how: Any) -> str:
        found = client.search(NOTICES, f"What is the price of a {thing}?", **how)
        assert (found.degraded, found.usage.rerank_model) == ([], order)
        return found.hits[0].document_id

    read = job.trained_tokens or 0
    until(lambda: used(home) - before >= read > 0, "what is read to learn is in the ledger")
    assert used(home) - before == read, "once"
    held_out = THINGS[:HELD_OUT]
    until(lambda: not client.search(NOTICES, "x", rerank_model=order).degraded, "an encoder of its own is loaded")
    right = sum(first(thing, rerank_model=order) == withdrawn[thing] for thing in held_out)
    assert right >= len(held_out) - ("form" in hyperparameters), "an encoder learns of twelve questions all but one"
    client.collections.change(NOTICES, rerank=True, rerank_model=order)
    assert first(held_out[0]) == withdrawn[held_out[0]]
    shown = client.collections.change(NOTICES, rerank=False, rerank_model="default")
    assert (shown.rerank, shown.rerank_model) == (False, None)
    with pytest.raises(ApiError, match=r"reader\+nobody"):
        client.search(NOTICES, "What is the price of a locker?", rerank_model="reader+nobody")
    with pytest.raises(ApiError, match=r"reader\+nobody"):
        client.ask(NOTICES, "What is the price of a locker?", AnswerOptions(rerank_model="reader+nobody"))
    client.tuning.delete(job.id)


def used(home: RunningHome) -> int:
    """Tokens of the reader that the ledger has; of its tuning jobs those alone that were read to learn."""
    return sum(row.prompt_tokens for row in home.client.usage(group_by="model") if row.group == "reader")


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
