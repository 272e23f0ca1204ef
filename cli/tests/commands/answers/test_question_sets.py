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

AT = "2026-01-01T00:00:00Z"
SKIPPED = {"id": "q_1", "like": "q_0"}


def _set(version: int, **more: Any) -> dict[str, Any]:
    known = {"name": "policies", "description": "What people ask.", "version": version, "newest": 2, "questions": 3}
    counts = {"answerable": 2, "unanswerable": 1, "splits": {"test": 1, "train": 2}}
    return {**known, **counts, "digest": "abc", "key_id": "k", "created_at": AT, "updated_at": AT, **more}


class Server:
    """A set of two versions, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.asked.append((request.method, path, json.loads(request.read() or b"null")))
        if request.method == "DELETE":
            return httpx2.Response(204)
        if request.method == "POST":
            return httpx2.Response(201, json=_set(2, skipped=[SKIPPED]))
        if path.endswith("/items"):
            item = {"id": "a", "question": "How many [days]?", "documents": {"leave": 2}, "metadata": {}}
            return httpx2.Response(200, json={"data": [item], "next_cursor": None})
        if path in ("/v1/question-sets", "/v1/question-sets/policies/versions"):
            return httpx2.Response(200, json={"data": [_set(2), _set(1)], "next_cursor": None})
        return httpx2.Response(200, json=_set(1 if path.endswith("/1") else 2))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(Session, "client", lambda _: client_of(made))
    return made


def _said(*words: str, status: int = 0, stdin: str = "") -> str:
    done = CliRunner().invoke(app, ["questions", *words], input=stdin)
    assert done.exit_code == status, done.output
    return done.output


def test_sets_are_listed_and_shown_with_their_versions_and_splits(server: Server) -> None:
    assert "policies version 2 3 questions test 1, train 2" in " ".join(_said("list").split())
    shown = " ".join(_said("show", "policies@1").split())
    assert "version 1 of 2, 1" in shown
    assert "3: 2 with what answers, 1 that nothing does" in shown


def test_a_file_or_standard_input_is_saved_and_what_was_left_out_is_said(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "q.csv"
    file.write_text("question\nOne?\n")
    said = _said("save", "policies", str(file), "--append", "--skip-duplicates", "--description", "Anew.")
    assert "left out: q_1, which asks what q_0 does" in said
    assert "policies version 2, 3 questions" in said
    assert server.asked[-1][2] == {
        "name": "policies",
        "append": True,
        "duplicates": "skip",
        "description": "Anew.",
        "file": {"format": "csv", "name": "q.csv", "text": "question\nOne?\n"},
    }
    _said("save", "policies", "-", stdin='{"question": "One?"}\n')
    assert server.asked[-1][2]["file"] == {
        "format": "jsonl",
        "name": "standard input",
        "text": '{"question": "One?"}\n',
    }


def test_what_is_exported_is_what_save_and_eval_read(server: Server) -> None:
    line = json.loads(_said("export", "policies@2", "--split", "test"))
    assert line == {"id": "a", "question": "How many [days]?", "documents": {"leave": 2}}


def test_a_version_or_the_whole_set_is_deleted(server: Server) -> None:
    assert "policies@1 is gone" in _said("delete", "policies@1")
    _said("delete", "policies")
    assert [path for _, path, _ in server.asked] == [
        "/v1/question-sets/policies/versions/1",
        "/v1/question-sets/policies",
    ]


@pytest.mark.parametrize("text", ["Policies", "policies@", "policies@newest", "policies@0"])
def test_what_names_no_set_is_told_before_anything_is_asked(server: Server, text: str) -> None:
    assert "names no question set" in " ".join(_said("show", text, status=1).split())
    assert server.asked == []
