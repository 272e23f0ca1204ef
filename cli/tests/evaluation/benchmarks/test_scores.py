from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import pytest
from cli.tests.server import client_of, error

from groundwork.evaluation.benchmarks.report import make_report
from groundwork.evaluation.benchmarks.scores import Method, NoProbabilities, Scored, score_all
from groundwork.evaluation.benchmarks.tasks import Task, TaskFile

Handler = Callable[[httpx2.Request], httpx2.Response]
LIKELY = {" Paris": -0.5, " Lyon": -4.0, " in": -1.0, " a": -1.0, " small": -1.0, " town": -0.1}
CAPITAL = Task("1", "The capital of France is", ["Lyon", "Paris"], [1])


class Server:
    """A model that knows how likely each word is, whatever stands before, and begins every text with a token of its
    own, as some do."""

    def __init__(self, begins: str = "", whole: bool = True) -> None:
        self.begins = begins
        self.whole = whole
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.read())
        self.asked.append(body)
        choices = [self._choice(at, prompt) for at, prompt in enumerate(body["prompt"])]
        return httpx2.Response(200, json={"id": "c", "created": 1, "model": "m", "choices": choices[::-1]})

    def _choice(self, at: int, prompt: str) -> dict[str, Any]:
        tokens = [*([self.begins] if self.begins else []), *re.findall(r"\s*\S+", prompt), " next"]
        offsets = [sum(map(len, tokens[:n])) for n in range(len(tokens))]
        chances = [None, *(LIKELY.get(token, -2.0) for token in tokens[1:])]
        said = tokens if self.whole else [token.replace("F", "\ufffd") for token in tokens]
        told = {"tokens": said, "token_logprobs": chances, "text_offset": offsets}
        return {"index": at, "text": f"{prompt} next", "logprobs": told, "finish_reason": "length"}


def _scored(handler: Handler, *tasks: Task, **more: Any) -> list[Scored]:
    with client_of(handler) as client:
        return score_all(client, Method("m", **more), tasks, at_once=2, progress=lambda _: None)


@pytest.mark.parametrize("begins", ["", "<s>"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_choice_is_as_likely_as_its_own_tokens_are(begins: str, whole: bool) -> None:
    server = Server(begins, whole)
    (one,) = _scored(server, CAPITAL)
    assert one.loglikelihoods == [-4.0, -0.5]
    assert (one.figures["accuracy"], one.answer) == (1, "Paris")
    assert server.asked[0]["prompt"] == ["The capital of France is Lyon", "The capital of France is Paris"]
    assert server.asked[0]["echo"] is True


def test_a_wrong_likeliest_choice_is_wrong() -> None:
    (one,) = _scored(Server(), Task("1", "The capital of France is", ["Lyon", "Paris"], [0]))
    assert (one.figures["accuracy"], one.figures["accuracy_norm"]) == (0, 0)


def test_a_long_choice_is_at_no_disadvantage_by_length() -> None:
    (one,) = _scored(Server(), Task("1", "It is", ["Paris", "in a small town"], [1]))
    assert one.loglikelihoods == pytest.approx([-0.5, -3.1])
    assert one.figures["accuracy"] == 0, "by the sum the short one is likelier"
    (one,) = _scored(Server(), Task("1", "It is", ["Lyon", "in a small town"], [1]))
    assert one.figures["accuracy_norm"] == 1
    assert one.loglikelihoods == pytest.approx([-4.0, -3.1])


def test_a_context_that_ends_in_space_gets_no_other_one() -> None:
    server = Server()
    _scored(server, Task("1", "Answer:\n", ["Lyon", "Paris"], [0]))
    assert server.asked[0]["prompt"][0] == "Answer:\nLyon"


def _without(what: Callable[[dict[str, Any]], None]) -> Handler:
    server = Server()

    def handler(request: httpx2.Request) -> httpx2.Response:
        body = json.loads(server(request).content)
        for choice in body["choices"]:
            what(choice)
        return httpx2.Response(200, json=body)

    return handler


@pytest.mark.parametrize(
    "handler",
    [
        lambda _: httpx2.Response(
            400,
            json={"error": {"type": "invalid_request", "code": "invalid", "message": "No.", "param": "echo"}},
        ),
        _without(lambda choice: choice.update(logprobs=None)),
        _without(lambda choice: choice.update(text=" next")),
        _without(lambda choice: choice.update(index=0)),
        _without(lambda choice: choice["logprobs"].update(token_logprobs=[None] * len(choice["logprobs"]["tokens"]))),
    ],
    ids=["refused", "no logprobs", "no echo", "one choice", "no numbers"],
)
def test_a_model_that_does_not_tell_probabilities_is_refused_with_what_to_do(handler: Handler) -> None:
    with pytest.raises(NoProbabilities, match=r"vLLM.*--generate"):
        _scored(handler, CAPITAL)


def _chat(*answers: str) -> tuple[Handler, list[dict[str, Any]]]:
    asked: list[dict[str, Any]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(json.loads(request.read()))
        said = answers[len(asked) - 1]
        message = {"message": {"role": "assistant", "content": said}, "index": 0, "text": said}
        return httpx2.Response(200, json={"id": "c", "created": 1, "model": "m", "choices": [message]})

    return handler, asked


@pytest.mark.parametrize(
    ("said", "right", "found"),
    [("B", 1, 1), ("The answer is B", 1, 1), ("B. Paris", 1, 1), ("A", 0, 1), ("Paris", 1, 1), ("A town.", 0, 0)],
)
def test_where_choices_are_shown_the_letter_counts(said: str, right: float, found: float) -> None:
    handler, asked = _chat(said)
    (one,) = _scored(handler, CAPITAL, generate=True)
    assert (one.figures["accuracy"], one.figures["letter_found"]) == (right, found)
    assert "A. Lyon\nB. Paris" in asked[0]["messages"][0]["content"]


def test_answers_in_words_are_measured_as_evaluations_measure_them() -> None:
    handler, asked = _chat("It is Paris.")
    (one,) = _scored(handler, Task("1", "Capital?", answers=["Paris"], until=["\n"], max_tokens=9))
    assert (one.figures["exact_match"], one.figures["answer_found"], one.figures["answer_f1"]) == (0, 1, 0.5)
    assert (asked[0]["stop"], asked[0]["max_tokens"], asked[0]["temperature"]) == (["\n"], 9, 0)
    handler, asked = _chat("the Paris")
    (one,) = _scored(handler, Task("1", "Capital?", answers=["Paris"]), raw=True)
    assert one.figures["exact_match"] == 1
    assert asked[0]["prompt"] == "Capital?"


def test_what_a_model_refuses_of_one_task_is_counted_and_in_no_other_mean() -> None:
    asked: list[Any] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return error(400, "context_length_exceeded", "Too long.") if len(asked) == 1 else _chat("Paris")[0](request)

    with client_of(handler) as client:
        tasks: Sequence[Task] = [Task("1", "q", answers=["Paris"]), Task("2", "r", answers=["Paris"])]
        scored = score_all(client, Method("m"), tasks, at_once=1, progress=lambda _: None)
    report = make_report(TaskFile("t", "d", tasks), Method("m"), scored)
    assert (report.means["succeeded"].value, report.means["succeeded"].tasks) == (0.5, 2)
    assert (report.means["exact_match"].value, report.means["exact_match"].tasks) == (1, 1)
    assert report.as_json()["by_task"][0]["error"] == "Too long."
