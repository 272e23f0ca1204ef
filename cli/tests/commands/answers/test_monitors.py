from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cli.tests.server import client_of
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.session import Session

AT = "2026-01-01T08:00:00Z"
FALL = {"metric": "support", "value": 0.5, "expected": 0.95, "p": 0.0002, "at": AT, "window": AT}
FALLEN = {
    "answers": 80, "people": 80, "value": 0.5, "low": 0.3, "high": 0.7, "expected": 0.95, "baseline_people": 100,
    "p": 0.0002, "state": "fallen",
}  # fmt: skip
WAITING = {"answers": 12, "people": 12, "value": 0.0, "baseline_people": 40, "state": "waiting"}


class Server:
    """One monitor of which something fell."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.figures: dict[str, Any] = {"support": FALLEN, "rating": WAITING}
        self.judge: dict[str, Any] = {}
        self.reason: dict[str, str] = {}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.asked.append((request.method, path, json.loads(request.read() or b"null")))
        monitor = {
            "name": "handbook", "model": "rag:handbook", "sample_percent": "20", "window_hours": 24, "baseline_days": 7,
            "metrics": {"support": None, "rating": None}, "p": 0.001, "key_id": "k", "created_at": AT, "falls": [FALL],
        }  # fmt: skip
        if request.method == "DELETE":
            return httpx2.Response(204)
        if path.endswith("/worst"):
            worst = {"record": "chatcmpl_1", "at": AT, "model": "rag:handbook", "value": 0.0, **self.reason}
            return httpx2.Response(200, json={"data": [worst], "next_cursor": None})
        if path == "/v1/monitors" and request.method == "GET":
            return httpx2.Response(200, json={"data": [monitor], "next_cursor": None})
        shown = {**monitor, "window": AT, "figures": self.figures, **self.judge}
        return httpx2.Response(201 if request.method == "POST" else 200, json=shown)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(Session, "client", lambda _: client_of(made))
    return made


def _output(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["evaluation", "monitor", *words])
    assert done.exit_code == status, done.output
    return " ".join(done.output.split())


def test_one_is_added_with_measures_and_the_worst_that_is_good(server: Server) -> None:
    metrics = ["--metric", "support", "--metric", "error_rate=0.05"]
    said = _output("add", "handbook", "--model", "rag:handbook", "--percent", "20", *metrics)
    assert said == "handbook watches support, rating"
    assert server.asked[0][2] == {
        "name": "handbook",
        "metrics": {"support": None, "error_rate": 0.05},
        "model": "rag:handbook",
        "sample_percent": "20",
    }


def test_where_nothing_is_recorded_that_is_said(server: Server) -> None:
    server.figures = {"support": {"answers": 0, "people": 0, "baseline_people": 0, "state": "waiting"}}
    assert "Answers are where `records` of their key or tenant is `metadata` or `full`" in _output("add", "handbook")


def test_a_measure_that_there_is_not_and_a_number_that_is_none_are_told(server: Server) -> None:
    assert "no measure 'speed'. Monitors know rating, support" in _output("add", "m", "--metric", "speed", status=1)
    assert "'support=much' has no number" in _output("add", "m", "--metric", "support=much", status=1)
    assert "no measure 'speed'" in _output("worst", "handbook", "speed", status=1)
    assert server.asked == []


def test_what_fell_is_listed_and_shown_with_the_call_that_names_the_worst_records(server: Server) -> None:
    assert _output("list") == "handbook rag:handbook fallen: support"
    shown = _output("show", "handbook")
    assert "handbook rag:handbook: 20 % of what was recorded since 2026-01-01 08:00 UTC" in shown
    assert "support fallen 0.5 0.3 … 0.7 0.95 0.0002 80" in shown
    assert "rating waiting (12 of 30 people now) 0 12" in shown
    assert "support fell to 0.5 where 0.95 was expected, p 0.0002" in shown
    assert "groundwork evaluation monitor worst handbook support" in shown
    assert _output("worst", "handbook", "support") == "chatcmpl_1 0 2026-01-01 08:00:00 rag:handbook"
    assert _output("delete", "handbook") == "handbook is gone"


def test_a_judge_is_named_with_its_rubric_and_bounds(server: Server, tmp_path: Path) -> None:
    rubric = tmp_path / "polite.txt"
    rubric.write_text("Is it polite?")
    bounds = ["--judge-percent", "5", "--judge-most", "50", "--judge-budget", "0.5"]
    _output("add", "handbook", "--judge", "wise", "--rubric", str(rubric), *bounds)
    assert server.asked[0][2]["judge"] == {
        "model": "wise", "rubric": "Is it polite?", "sample_percent": "5", "most": 50, "budget_usd": "0.5",
    }  # fmt: skip
    assert "name its model with --judge" in _output("add", "m", "--judge-most", "5", status=1)
    gone = str(tmp_path / "gone.txt")
    assert "can't be read" in _output("add", "m", "--judge", "wise", "--rubric", gone, status=1)


@pytest.mark.parametrize(
    ("rated", "words"),
    [
        ({"answers": 4, "agreed": 3}, "on 3 of 4 answers that were rated, too few for κ (30 are needed)"),
        ({"answers": 40, "agreed": 36, "enough": True, "kappa": 0.8, "low": 0.6, "high": 0.9}, "κ 0.80 (0.60 … 0.90)"),
        ({"answers": 40, "agreed": 40, "enough": True}, "on 40 of 40 answers that were rated"),
    ],
)  # fmt: skip
def test_what_a_judge_has_done_and_how_far_people_agree_is_shown(
    server: Server, rated: dict[str, Any], words: str
) -> None:
    done = {"right": 20, "wrong": 4, "failed": 1, "error": "no_verdict", "limited": "most", "cost_usd": "0.02"}
    server.judge = {"judge": {"model": "wise"}, "verdicts": {**done, "rated": rated}}
    shown = _output("show", "handbook")
    assert "wise judged 20 right, 4 wrong; failed at 1; 0.02 USD; no more in this window (most)" in shown
    assert "last failed by no_verdict" in shown
    assert words in shown
    server.judge["verdicts"] |= {"waits": True, "error": "lab_unreachable"}
    assert "waits: lab_unreachable" in _output("show", "handbook")
    server.reason = {"reason": "It says 30, the passage 25."}
    assert "It says 30, the passage 25." in _output("worst", "handbook", "judge_right")
