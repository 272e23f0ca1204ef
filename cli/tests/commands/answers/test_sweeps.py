from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from cli.tests.client.improvement.test_sweeps import DONE
from cli.tests.server import client_of
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.session import Session

FIGURE = {"mean": 0.75, "low": 0.6, "high": 0.9, "questions": 20}
NDCG = {
    "measure": "retrieval_ndcg_10", "questions": 20, "first": 0.75, "second": 0.6, "difference": 0.15, "low": 0.05,
    "high": 0.25, "p": 0.012, "wins": 8, "losses": 1, "verdict": "better", "words": "better: …",
}  # fmt: skip


def _candidate(number: int, mode: str, **more: Any) -> dict[str, Any]:
    figures = {"retrieval_ndcg_10": FIGURE, "latency_ms": {**FIGURE, "mean": 41.6}}
    settings = {"mode": mode, "rerank": False}
    about = {"number": number, "settings": settings, "words": mode, "status": "completed", "evaluation": "eval_1"}
    return {**about, "figures": figures, "cost_usd": "0.01", **more}


class Server:
    """A sweep that found something."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.may_apply = True
        self.applied: dict[str, Any] | None = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append((request.method, request.url.path, json.loads(request.read() or b"null")))
        if request.method == "DELETE":
            return httpx2.Response(204)
        unranked = {"rerank_unavailable": 3}
        candidates = [_candidate(0, "hybrid"), _candidate(1, "sparse", against=[NDCG], degraded=unranked)]
        confirmation = {"number": 1, "evaluation": "eval_3", "served_evaluation": "eval_2", "measures": [NDCG]}
        shown = {**DONE, "candidates": candidates, "confirmation": confirmation, "cost_usd": "0.03"}
        shown |= {"verdict": "sparse instead of hybrid is better: …", "may_apply": self.may_apply}
        shown |= {"applied": self.applied}
        if request.url.path == "/v1/sweeps" and request.method == "GET":
            return httpx2.Response(200, json={"data": [shown], "next_cursor": None})
        return httpx2.Response(200, json=shown)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(Session, "client", lambda _: client_of(made))
    return made


def _output(*words: str, status: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))
    assert result.exit_code == status, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("words", [("eval", "sweep"), ("evaluation", "sweep", "start")])
def test_settings_are_tried_shown_and_applied(server: Server, words: tuple[str, ...]) -> None:
    given = ("handbook", "policies@2", "--set", "mode=hybrid, sparse", "--set", "rerank=yes,no", "--choose", "train")
    shown = _output(*words, *given, "--confirm", "test", "--wait", "60", "--apply")
    assert server.asked[0] == (
        "POST",
        "/v1/sweeps",
        {
            "collection": "handbook",
            "question_set": "policies",
            "version": 2,
            "settings": {"mode": ["hybrid", "sparse"], "rerank": [True, False]},
            "choose_split": "train",
            "confirm_split": "test",
        },
    )
    assert server.asked[-1][:2] == ("POST", "/v1/sweeps/sweep_1/apply")
    for text in ("hybrid (serves)", "+0.1500", "+0.050 … +0.250", "0.012", "42", "is better", "rerank_unavailable"):
        assert text in shown
    assert "'handbook' is searched by sparse now. Back: groundwork evaluation sweep revert sweep_1" in shown


def test_nothing_is_applied_where_nothing_is_better(server: Server) -> None:
    server.may_apply = False
    _output("eval", "sweep", "handbook", "policies", "--set", "mode=sparse", "--wait", "60", "--apply")
    assert all(not path.endswith("/apply") for _, path, _ in server.asked)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--set", "mode"), "is not NAME=VALUE"),
        (("--set", "=sparse"), "is not NAME=VALUE"),
        (("--set", "mode=sparse", "--apply"), "add --wait"),
    ],
)
def test_what_can_not_be_meant_is_said_before_anything_is_asked(
    server: Server, words: tuple[str, ...], why: str
) -> None:
    assert why in _output("eval", "sweep", "handbook", "policies", *words, status=1)
    assert not server.asked


def test_sweeps_are_listed_shown_applied_undone_cancelled_and_deleted(server: Server) -> None:
    assert "sweep_1 completed handbook policies@2 7 of at most 100" in _output("evaluation", "sweep", "list")
    assert "Apply it: groundwork evaluation sweep apply sweep_1" in _output("evaluation", "sweep", "show", "sweep_1")
    assert "is searched by sparse now" in _output("evaluation", "sweep", "apply", "sweep_1")
    assert "is searched as before: hybrid" in _output("evaluation", "sweep", "revert", "sweep_1")
    assert "sweep_1 is completed" in _output("evaluation", "sweep", "cancel", "sweep_1")
    assert "sweep_1 is gone" in _output("evaluation", "sweep", "delete", "sweep_1")


def test_sizes_of_chunks_are_numbers_and_the_reindex_that_brings_one_in_is_named(server: Server) -> None:
    settings = {"mode": "sparse", "rerank": False, "chunk_size": 200}
    before = {"mode": "hybrid", "rerank": False}
    server.applied = {"settings": settings, "before": before, "job": "job_7", "applied_at": "2026-01-01T00:00:00Z"}
    given = ("--set", "chunk_size=200,400", "--set", "embedding_model=e5-small", "--wait", "60", "--apply")
    shown = _output("eval", "sweep", "handbook", "policies", *given)
    assert server.asked[0][2]["settings"] == {"chunk_size": [200, 400], "embedding_model": ["e5-small"]}
    once = "once its reindex job_7 is done (`groundwork collection list` shows it)"
    assert f"'handbook' is searched by sparse {once}. Back:" in shown
    shown = _output("evaluation", "sweep", "revert", "sweep_1")
    assert f"as before {once}: hybrid" in shown
