from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cli.tests.server import client_of, error
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.session import Session

AT = "2026-01-01T00:00:00Z"
FIGURE = {"mean": 0.75, "low": 0.6, "high": 0.9, "questions": 3}


def _evaluation(**more: Any) -> dict[str, Any]:
    known = {"id": "eval_1", "status": "completed", "question_set": "policies", "version": 2, "questions": 3, "done": 3}
    target = {"model": "rag:handbook"}
    shown = {"figures": {"answer_found": FIGURE}, "cost_usd": "0.02"}
    return {**known, "failed": 1, "target": target, **shown, "key_id": "k", "created_at": AT, **more}


def _measure(measure: str, verdict: str, label: str | None = None) -> dict[str, Any]:
    numbers = {"questions": 3, "first": 0.5, "second": 0.6, "difference": -0.1, "low": -0.2, "high": -0.01, "p": 0.01}
    words = f"{verdict}: -0.1 [-0.2, -0.01] {measure}, p 0.01, 3 questions"
    return {"measure": measure, "label": label, **numbers, "wins": 0, "losses": 3, "verdict": verdict, "words": words}


class Server:
    """One evaluation, and how it compares."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.same_version = True
        self.groundwork: dict[str, Any] | None = None
        self.same_judge = True
        self.p = 0.01
        self.status = "completed"
        self.succeeded = "no difference"
        self.judge: dict[str, Any] | None = None

    def _asked(self) -> dict[str, Any]:
        return _evaluation(target={"model": "rag:handbook", "groundwork": self.groundwork})

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.asked.append((request.method, path, json.loads(request.read() or b"null")))
        if request.method == "DELETE":
            return httpx2.Response(204)
        if path.endswith("/compare"):
            measures = [_measure("answer_found", "worse"), _measure("answered", "no difference")]
            measures += [
                _measure("answered", "worse", "refunds"),
                _measure("answered", "no difference", "leave"),
                _measure("succeeded", self.succeeded),
            ]
            measures = [{**one, "p": self.p} for one in measures]
            alike = {"same_version": self.same_version, "same_judge": self.same_judge}
            body = {"first": "eval_1", "second": "eval_2", **alike, "measures": measures}
            return httpx2.Response(200, json=body)
        if path == "/v1/evaluations" and request.method == "GET":
            return httpx2.Response(200, json={"data": [self._asked()], "next_cursor": None})
        judged = {} if self.judge is None else {"judge": self.judge}
        running = judged | {"status": "running" if path.endswith("/cancel") else self.status}
        return httpx2.Response(202 if request.method == "POST" else 200, json=_evaluation(**running))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(Session, "client", lambda _: client_of(made))
    return made


def _output(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["evaluation", *words])
    assert done.exit_code == status, done.output
    return " ".join(done.output.split())


def test_a_judge_is_asked_by_a_rubric_and_told_with_how_far_people_agree(server: Server, tmp_path: Path) -> None:
    (tmp_path / "rubric.txt").write_text("Is it polite?")
    rubric = ["--rubric", str(tmp_path / "rubric.txt")]
    _output("start", "policies", "rag:handbook", "--judge", "wise", *rubric, "--measure", "answer_f1")
    body = server.asked[0][2]
    assert (body["judge"], body["measures"]) == ({"model": "wise", "rubric": "Is it polite?"}, ["answer_f1"])
    assert "add --judge MODEL" in _output("start", "policies", "m", *rubric, status=1)
    server.judge = {"model": "wise", "rubric": "own", "digest": "abcdef0123", "people": 4, "agreed": 3, "kappa": 0.5}
    assert "(own, abcdef01): agrees with people on 3 of 4 answers, kappa 0.50" in _output("show", "eval_1")
    server.judge = {"model": "wise", "rubric": "answers@1", "digest": "abcdef0123"}
    assert "how far people agree with it is not known" in _output("show", "eval_1")


def test_a_suite_that_ships_is_started_by_its_name(server: Server) -> None:
    _output("start", "safety:injection", "rag:handbook")
    assert server.asked[0][2]["question_set"] == "safety:injection"
    assert "Those that ship are safety:injection" in _output("start", "safety:all", "rag:handbook", status=1)


def test_one_is_started_with_settings_and_its_figures_are_shown(server: Server) -> None:
    options = [
        "--set",
        "mode=sparse",
        "--set",
        "top_k=4",
        "--set",
        'variables={"tone": "calm"}',
        "-p",
        "temperature=0",
        "--budget",
        "1.5",
        "--wait",
        "5",
    ]
    shown = _output("start", "policies@2", "rag:handbook", *options)
    assert server.asked[0][2] == {
        "question_set": "policies",
        "version": 2,
        "target": {
            "model": "rag:handbook",
            "groundwork": {"mode": "sparse", "top_k": 4, "variables": {"tone": "calm"}},
            "parameters": {"temperature": 0},
        },
        "budget_usd": "1.5",
        "name": "",
    }
    assert "policies@2 asked of rag:handbook: 3 of 3, 1 without an answer" in shown
    assert "answer_found 0.75 0.6 … 0.9 3" in shown
    assert shown.endswith("cost 0.02 USD")
    assert "is not NAME=VALUE" in _output("start", "policies", "m", "--set", "mode", status=1)


def test_runs_are_listed_shown_cancelled_and_deleted(server: Server) -> None:
    server.groundwork = {"mode": "sparse", "top_k": 4}
    assert '3 of 3 mode="sparse" top_k=4' in _output("list")
    assert "eval_1 completed policies@2 rag:handbook 3 of 3" in _output("list")
    assert "eval_1 completed" in _output("show", "eval_1")
    assert _output("cancel", "eval_1") == "eval_1 is to end"
    assert _output("delete", "eval_1") == "eval_1 is gone"


def test_a_comparison_is_in_words_and_a_gate_ends_with_1_where_a_measure_is_worse(server: Server) -> None:
    shown = _output("compare", "eval_1", "eval_2")
    assert shown.startswith("worse: -0.1 [-0.2, -0.01] answer_found, p 0.01, 3 questions no difference:")
    assert "refunds: worse" in shown
    assert "leave:" not in shown
    assert shown.endswith("by label no difference in 1 more: --all shows them")
    assert "leave: no difference" in _output("compare", "eval_1", "eval_2", "--all")
    _output("compare", "eval_1", "eval_2", "--gate", "answered")
    _output("compare", "eval_1", "eval_2", "--gate", "answered", "--gate", "answer_found", status=1)
    server.same_version = False
    assert "different versions" in _output("compare", "eval_1", "eval_2")


def test_a_gate_that_can_not_be_told_ends_with_2(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = _output("compare", "eval_1", "eval_2", "--gate", "tokens", status=2)
    assert "do not share the measure 'tokens'; they share answer_found, answered, succeeded" in missing
    server.same_version = False
    assert "A gate compares" in _output("compare", "eval_1", "eval_2", "--gate", "answered", status=2)
    monkeypatch.setattr(Session, "client", lambda _: client_of(lambda _: error(404, "evaluation_not_found")))
    _output("compare", "eval_1", "eval_2", "--gate", "answered", status=2)
    _output("compare", "eval_1", "eval_2", status=1)


def test_a_gate_on_verdicts_of_two_judges_ends_with_2_and_says_what_to_do(server: Server) -> None:
    server.same_judge = False
    assert "no verdicts are compared" in _output("compare", "eval_1", "eval_2")
    refused = _output("compare", "eval_1", "eval_2", "--gate", "judge_right", status=2)
    assert "Start both with the same --judge and --rubric." in refused
    _output("compare", "eval_1", "eval_2", "--gate", "answered")


def test_of_several_gates_one_that_luck_may_miss_is_not_missed(server: Server) -> None:
    server.p = 0.03
    _output("compare", "eval_1", "eval_2", "--gate", "answer_found", "--gate", "answer_found", status=1)
    _output("compare", "eval_1", "eval_2", "--gate", "answer_found", "--gate", "answered")


def test_a_gate_passes_nothing_that_was_not_completed_or_answered_fewer_questions(server: Server) -> None:
    server.succeeded = "worse"
    _output("compare", "eval_1", "eval_2", "--gate", "answered", status=1)
    server.succeeded, server.status = "no difference", "cancelled"
    assert "eval_1 was not completed" in _output("compare", "eval_1", "eval_2")
    assert "nothing is said by it" in _output("compare", "eval_1", "eval_2", "--gate", "answered", status=2)


def test_waiting_for_one_that_fails_ends_with_1(server: Server) -> None:
    server.status = "failed"
    _output("start", "policies", "rag:handbook", "--wait", "5", status=1)
