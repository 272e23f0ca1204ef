from __future__ import annotations

import json
from typing import Any

import pytest
from services.inference.tests.api.calls import error_of
from services.inference.tests.conftest import CHAT, EMBEDDING, StartApp

READER = {"name": "reader", "kind": "reading", "engine": "scripted", "max_input_tokens": 16, "default": True}
JUDGE = {"name": "judge", "kind": "reading", "engine": "judge", "source": {"chat_model": "talker"}}
BODY = {"question": "the red car", "passages": ["A boat. The red car!", "nothing"], "pairs": []}
PAIR = {"premise": "The car is red.", "sentence": "The car is red."}


def test_a_call_gives_a_reading_of_each_text_and_says_what_the_model_can_tell(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING, {**READER, "languages": ["en"]})
    running.until_ready()
    reply = running.post("/v1/reading", {**BODY, "pairs": [PAIR], "passages": [*BODY["passages"], "w " * 20]}).json()
    assert (reply["model"], reply["languages"]) == ("reader", ["en"])
    assert reply["reads"] == ["answers", "contradiction", "relevance", "spans", "support"]
    assert [reading["span"] for reading in reply["passages"]] == [{"start": 8, "end": 20}, None, None]
    assert [reading["verdict"] for reading in reply["pairs"]] == ["supported"]
    usage = reply["usage"]
    assert usage["truncated"] == 1
    assert usage["total_tokens"] == usage["prompt_tokens"] > 20
    (listed,) = [model for model in running.get("/v1/models").json()["data"] if model["kind"] == "reading"]
    assert (listed["reads"], listed["default"], listed["context_length"]) == (reply["reads"], True, 16)


@pytest.mark.parametrize(("said", "alone"), [({}, False), ({"alone": True}, True), ({"alone": False}, False)])
def test_a_reply_says_whether_the_model_counts_alone(start: StartApp, said: dict[str, bool], alone: bool) -> None:
    running = start(CHAT, EMBEDDING, READER | said)
    running.until_ready()
    assert running.post("/v1/reading", BODY).json()["alone"] is alone


def test_without_a_reader_and_for_one_that_is_none_the_error_says_so(start: StartApp) -> None:
    answer = start(CHAT, EMBEDDING).post("/v1/reading", BODY)
    assert (answer.status_code, error_of(answer)["code"]) == (404, "no_reader")
    answer = start(CHAT, EMBEDDING, READER).post("/v1/reading", {**BODY, "model": "talker"})
    assert (answer.status_code, error_of(answer)["code"]) == (404, "model_not_found")


def test_bad_input_is_422_and_names_what_is_wrong(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING, READER)
    for wrong, param in (
        ({"passages": ["fine", ""]}, "passages.1"),
        ({"passages": ["x"] * 257}, "passages"),
        ({"question": ""}, "question"),
        ({"pairs": [{"premise": "p"}]}, "pairs.0.sentence"),
        ({"priority": "soon"}, "priority"),
    ):
        answer = running.post("/v1/reading", BODY | wrong)
        assert (answer.status_code, error_of(answer)["param"]) == (422, param)


def test_a_judge_asks_the_chat_model_that_it_names(start: StartApp) -> None:
    judged = json.dumps({"1": {"answers": 75, "relevance": 50, "quote": "red"}})
    talker: dict[str, Any] = {**CHAT, "context_length": 4096, "source": {"rules": [{"when": "car", "reply": judged}]}}
    running = start(talker, EMBEDDING, JUDGE)
    running.until_ready()
    reply = running.post("/v1/reading", {"model": "judge", "question": "Which car?", "passages": ["A red car."]}).json()
    assert reply["passages"] == [{"answers": 0.75, "span": {"start": 2, "end": 5}, "relevance": 0.5}]
    assert reply["usage"]["completion_tokens"] > 0
    assert reply["alone"] is True


def test_a_judge_whose_chat_model_is_not_there_says_so(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING, READER, {**JUDGE, "source": {"chat_model": "gone"}})
    running.until_ready()
    answer = running.post("/v1/reading", {**BODY, "model": "judge"})
    assert (answer.status_code, error_of(answer)["code"]) == (404, "model_not_found")
    assert "'gone'" in error_of(answer)["message"]
    assert "gone" in running.client.get("/readyz").text
