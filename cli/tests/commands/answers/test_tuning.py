from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from cli.tests.server import client_of
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.session import Session

COUNTS = {"questions": 20, "train": 14, "held_out": 6}
CARD = {**COUNTS, "training_set": "set:support@2", "digest": "d", "split_by": "by chance"}
JOB: dict[str, Any] = {
    "id": "ftjob_1", "created_at": 1, "status": "succeeded", "model": "smollm2", "training_file": "set:support@2",
    "hyperparameters": {}, "method": {"type": "supervised"}, "seed": 7, "organization_id": "acme",
    "fine_tuned_model": "smollm2+support",
    "groundwork": {"steps": 6, "done": 6, "words": "better: -1 loss", "card": CARD},
}  # fmt: skip
FAILED = {**JOB, "status": "failed", "error": {"code": "training_leaks", "message": "Take them out."}}


class Server:
    """One job."""

    def __init__(self) -> None:
        self.job = JOB
        self.calls: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.calls.append(f"{request.method} {path}")
        if request.method == "DELETE":
            return httpx2.Response(204)
        if path.endswith("/artifact"):
            return httpx2.Response(200, content=b"GGUF")
        if path.endswith("/events"):
            event = {"id": "ftjob_1.1", "created_at": 5, "message": "Step 1/6"}
            return httpx2.Response(200, json={"data": [event]})
        if path.endswith("/jobs") and request.method == "GET":
            return httpx2.Response(200, json={"data": [self.job]})
        return httpx2.Response(200, json=self.job)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(Session, "client", lambda _: client_of(made))
    return made


def _output(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["tune", *words])
    assert done.exit_code == status, done.output
    return " ".join(done.output.split())


def test_a_job_is_started_and_what_came_of_it_is_shown(server: Server) -> None:
    shown = _output("start", "support@2", "smollm2", "--epochs", "2", "--suffix", "support", "--wait", "5")
    assert "better: -1 loss" in shown
    assert "6 questions (by chance)" in shown
    server.job = FAILED
    assert "Take them out. [training_leaks]" in _output("start", "support", "smollm2", "--wait", "5", status=1)


def test_jobs_are_listed_shown_followed_ended_and_deleted(server: Server, tmp_path: Path) -> None:
    assert "ftjob_1 succeeded smollm2 set:support@2 6 of 6 smollm2+support" in _output("list")
    assert "14" not in _output("show", "ftjob_1")
    assert "Step 1/6" in _output("events", "ftjob_1")
    _output("download", "ftjob_1", str(tmp_path / "adapter.gguf"))
    assert (tmp_path / "adapter.gguf").read_bytes() == b"GGUF"
    assert _output("cancel", "ftjob_1") == "succeeded"
    assert _output("publish", "ftjob_1") == "smollm2+support"
    assert server.calls[-1] == "POST /v1/fine_tuning/jobs/ftjob_1/publish"
    _output("delete", "ftjob_1")
    assert server.calls[-1] == "DELETE /v1/fine_tuning/jobs/ftjob_1"


def test_a_job_says_what_it_is_served_as_or_why_it_is_not(server: Server) -> None:
    assert "served as smollm2+support" in _output("show", "ftjob_1")
    why = {"code": "not_better", "message": "It is not better."}
    report = {**JOB["groundwork"], "general": "no difference: +0.01 loss", "not_published": why}
    server.job = {**JOB, "fine_tuned_model": None, "groundwork": report}
    shown = _output("show", "ftjob_1")
    assert "not served It is not better." in shown
    assert "in general no difference: +0.01 loss" in shown
    assert "6 of 6 -" in _output("list")
