from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from services.inference.tests.api.calls import error_of
from services.inference.tests.conftest import CHAT, EMBEDDING, StartApp
from services.inference.tests.heads import encoded, head

from inference.serving.classification import shares

LABELS = ["a broken lamp", "a late parcel"]


def _classified(running: Any, **more: Any) -> dict[str, Any]:
    answer = running.post(
        "/v1/classify", {"input": ["the lamp is broken", "my parcel is late"], "labels": LABELS, **more}
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_each_input_gets_the_label_whose_text_is_most_like_it_and_scores_that_are_one_together(running: Any) -> None:
    reply = _classified(running)
    assert [one["label"] for one in reply["results"]] == LABELS
    for one in reply["results"]:
        assert list(one["scores"]) == LABELS
        assert sum(one["scores"].values()) == pytest.approx(1, abs=1e-5)
        assert one["scores"][one["label"]] == max(one["scores"].values())
    assert reply["model"] == "words"


def test_the_tokens_of_inputs_and_of_labels_are_counted_and_what_is_cut_is_told(running: Any) -> None:
    usage = _classified(running, input=["the lamp", "word " * 40])["usage"]
    assert usage == {"prompt_tokens": 24, "completion_tokens": 0, "total_tokens": 24, "truncated": 1}


def test_a_label_may_say_in_a_text_what_it_is_about(running: Any) -> None:
    labels = [{"label": "A7", "text": LABELS[0]}, {"label": "B2", "text": LABELS[1]}]
    by_text, by_name = _classified(running, labels=labels)["results"], _classified(running)["results"]
    assert [one["label"] for one in by_text] == ["A7", "B2"]
    assert [list(one["scores"].values()) for one in by_text] == [list(one["scores"].values()) for one in by_name]


def test_texts_and_labels_are_read_as_queries_by_a_model_that_tells_them_from_passages(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING | {"prefixes": {"query": "find ", "passage": "read this "}})
    running.until_ready()
    reply = _classified(running, input="the lamp", labels=["a lamp", "a car"])
    assert reply["usage"]["prompt_tokens"] == 9


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        ({"labels": None}, 400, "labels_missing", "labels"),
        ({"labels": ["a", "a"]}, 400, "labels_alike", "alike"),
        ({"labels": ["a"]}, 422, "invalid_body", "at least 2"),
        ({"labels": [f"label {number}" for number in range(101)]}, 422, "invalid_body", "at most 100"),
        ({"labels": ["a", ""]}, 422, "invalid_body", "labels"),
        ({"labels": ["a", "b" * 201]}, 422, "invalid_body", "200"),
        ({"input": []}, 422, "invalid_body", "1 to 256"),
        ({"input": ["x"] * 257}, 422, "invalid_body", "there are 257"),
        ({"input": ["fine", "  "]}, 422, "invalid_body", "number 1"),
        ({"input": [7]}, 422, "invalid_body", "number 0"),
        ({"input": "x" * 100_001}, 422, "invalid_body", "100000 characters"),
        ({"model": "talker"}, 404, "model_not_found", "talker"),
        ({"temperature": 1}, 422, "invalid_body", "temperature"),
    ],
)
def test_what_can_not_be_classified_is_refused_with_what_is_wrong(
    running: Any, body: dict[str, Any], status: int, code: str, says: str
) -> None:
    answer = running.post("/v1/classify", {"input": "x", "labels": LABELS, **body})
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    assert says in answer.text


def test_shares_are_one_together_however_near_or_far_the_likenesses_are() -> None:
    likeness = np.array([[1.0, -1.0, 0.0], [0.5, 0.5, 0.5]], dtype=np.float32)
    for temperature in (1e-3, 0.05, 10.0):
        rows = shares(likeness, temperature)
        assert rows.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
        assert rows[0].argmax() == 0
        assert rows[1] == pytest.approx([1 / 3] * 3, abs=1e-5)


HEAD = {
    "name": "triage",
    "kind": "classification",
    "engine": "head",
    "source": {"head": head(weights=encoded([1.0] * 32, [-1.0] * 32))},
    "default": True,
}


def test_a_trained_head_has_its_own_labels_and_takes_no_others(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING, HEAD)
    running.until_ready()
    reply = _classified(running, model="triage", labels=None)
    assert [list(one["scores"]) for one in reply["results"]] == [["late", "odd"]] * 2
    assert reply["usage"]["prompt_tokens"] == 8
    refused = running.post("/v1/classify", {"model": "triage", "input": "x", "labels": LABELS})
    assert (refused.status_code, error_of(refused)["param"]) == (400, "labels")


def test_the_list_of_models_tells_what_a_head_chooses_from_and_whose_vectors_it_reads(start: StartApp) -> None:
    moderation = {"categories": {"odd": "harassment"}, "threshold": 0.7}
    running = start(CHAT, EMBEDDING, HEAD | {"moderation": moderation})
    running.until_ready()
    listed = next(model for model in running.get("/v1/models").json()["data"] if model["id"] == "triage")
    assert (listed["labels"], listed["embedding_model"], listed["moderation"]) == (["late", "odd"], "words", moderation)
    assert listed["digest"].startswith("sha256:")
    other = next(model for model in running.get("/v1/models").json()["data"] if model["id"] == "words")
    assert (other["labels"], other["embedding_model"], other["moderation"]) == (None, None, None)


@pytest.mark.parametrize("by_labels", [True, False])
def test_a_long_input_may_be_read_in_parts_whose_scores_are_put_together(start: StartApp, by_labels: bool) -> None:
    running = start(CHAT, EMBEDDING, HEAD)
    running.until_ready()
    long = "the lamp is broken " * 60 + "my parcel is late " * 60
    model: dict[str, Any] = {} if by_labels else {"model": "triage", "labels": None}
    asked = {"input": ["my parcel is late", long, "the lamp is broken"], **model}
    cut, mean, highest = (_classified(running, long_inputs=how, **asked) for how in ("cut", "mean", "highest"))
    assert [reply["usage"]["truncated"] for reply in (cut, mean, highest)] == [1, 0, 0]
    assert cut["results"][0] == mean["results"][0] == highest["results"][0]
    assert cut["results"][2] == mean["results"][2] == highest["results"][2]
    assert sum(mean["results"][1]["scores"].values()) == pytest.approx(1, abs=1e-4)
    for label, score in highest["results"][1]["scores"].items():
        assert score >= mean["results"][1]["scores"][label]
    assert sum(highest["results"][1]["scores"].values()) > 1


def test_inputs_of_more_parts_than_a_call_may_have_are_refused(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING | {"max_input_tokens": 16})
    running.until_ready()
    body = {"input": ["word " * 20_000] * 4, "labels": LABELS, "long_inputs": "mean"}
    answer = running.post("/v1/classify", body)
    assert (answer.status_code, error_of(answer)["code"]) == (400, "inputs_too_long")


def test_a_head_is_declared_while_inference_runs_and_one_that_is_none_is_refused(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING)
    running.until_ready()
    body = {key: HEAD[key] for key in ("kind", "engine", "source")}
    put = running.client.put("/v1/models/words+triage", json=body, headers=running.installation())
    assert (put.status_code, put.json()["state"], put.json()["labels"]) == (200, "ready", ["late", "odd"])
    assert len(_classified(running, model="words+triage", labels=None)["results"]) == 2
    broken = {**body, "source": {"head": head(bias=[0.0])}}
    refused = running.client.put("/v1/models/other", json=broken, headers=running.installation())
    assert (refused.status_code, error_of(refused)["param"]) == (422, "source.head")


def test_a_head_of_many_labels_is_no_too_long_declaration(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING | {"dimensions": 384})
    running.until_ready()
    many = head(labels=[f"label {n}" for n in range(200)], weights=encoded(*[[0.5] * 384] * 200), bias=[0.0] * 200)
    body = {"kind": "classification", "engine": "head", "source": {"head": many}}
    put = running.client.put("/v1/models/many", json=body, headers=running.installation())
    assert (put.status_code, put.json()["state"]) == (200, "ready")
