from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cli.tests.client.improvement.test_question_generation import DONE, ITEM, SET
from cli.tests.server import client_of
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.session import Session

SPAN = {
    "collection": "handbook", "document_id": "leave", "revision": 1, "chunk_id": "c", "title": "Leave", "source": "l",
    "start": 0, "end": 9, "text": "There are 27 days.",
}  # fmt: skip
GOOD = {**ITEM, "answers": ["27 days"], "span": SPAN, "why": "A search finds it."}
MISS = {**ITEM, "number": 2, "answerable": False, "question": "Two?", "why": "'Oslo' stands in no document."}


class Server:
    """A run that has ended, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.run: dict[str, Any] = {**DONE, "made_by": {"rule": 5}, "dropped": {"unclear": 3}, "cost_usd": "0.01"}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/v1/question-sets/policies/")
        self.asked.append((f"{request.method} {path}", json.loads(request.read() or b"null")))
        if path.endswith("/items"):
            return httpx2.Response(200, json={"data": [GOOD, MISS], "next_cursor": None})
        if path == "generations":
            return httpx2.Response(200, json={"data": [self.run], "next_cursor": None})
        return httpx2.Response(201, json=SET) if path.endswith("/save") else httpx2.Response(200, json=self.run)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(Session, "client", lambda _: client_of(made))
    return made


def _said(*words: str, status: int = 0, stdin: str = "") -> str:
    done = CliRunner().invoke(app, ["questions", *words], input=stdin)
    assert done.exit_code == status, done.output
    return " ".join(done.output.split())


def test_a_run_is_started_with_what_was_said_and_its_end_is_told(server: Server) -> None:
    said = _said("generate", "policies", "handbook", "--count", "5", "--split", "test", "--wait", "9")
    assert "gen_1" in said
    assert "completed: 5 questions (5 by rule), 0 near misses" in said
    assert "cost 0.01 USD dropped: 3 unclear" in said
    body = server.asked[0][1]
    assert (body["count"], body["split"], body["accept"]) == (5, "test", False)
    assert "near_misses" not in body
    server.run |= {"status": "failed", "error": {"code": "nothing_to_ask", "message": "Nothing to ask about."}}
    assert "Nothing to ask about." in _said("generate", "policies", "handbook", "--wait", "9", status=1)
    assert "gen_1 failed handbook 5 of 5 6 proposed" in _said("runs", "policies")


def test_a_review_shows_each_question_with_its_passage_and_why(server: Server) -> None:
    said = _said("review", "policies", "gen_1")
    assert "1 One? 27 days rule Leave: There are 27 days. A search finds it." in said
    assert "2 Two? (the documents do not say) rule 'Oslo' stands in no document." in said
    lines = CliRunner().invoke(app, ["questions", "review", "policies", "gen_1", "--json"]).output.splitlines()
    assert json.loads(lines[0])["answers"] == ["27 days"]


def test_decisions_come_from_options_and_from_edited_lines_and_are_saved(server: Server, tmp_path: Path) -> None:
    said = _said("review", "policies", "gen_1", "--accept", "1", "--reject", "2", "--accept-all", "--save")
    assert "6 proposed policies version 2, 1 questions" in said
    decisions = [{"number": 1, "state": "accepted"}, {"number": 2, "state": "rejected"}]
    assert server.asked[0][1] == {"decisions": decisions, "accept_all": True}
    edited = tmp_path / "edited.jsonl"
    lines = [{**GOOD, "state": "accepted", "question": "How many?"}, {**MISS, "state": "rejected"}, GOOD]
    edited.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    _said("review", "policies", "gen_1", "--from", str(edited))
    corrected = {"number": 1, "state": "accepted", "question": "How many?", "answers": ["27 days"]}
    assert server.asked[-1][1]["decisions"] == [corrected, {"number": 2, "state": "rejected"}]
    assert "line 1: this is no decision" in _said("review", "policies", "gen_1", "--from", "-", status=1, stdin="{}")
