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


def _prompt(version: int) -> dict[str, Any]:
    labels = [{"label": "production", "version": 2, "previous": 1}, {"label": "candidate", "version": 1}]
    return {
        "name": "greeting",
        "version": version,
        "newest": 2,
        "labels": labels,
        "messages": [{"role": "system", "content": f"Greet {{{{who}}}} as v{version}."}],
        "variables": {"who": {}, "n": {"type": "integer", "default": 1}},
        "created_at": AT,
        "updated_at": AT,
    }


class Server:
    """Two versions of one prompt, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.read() or b"null")
        self.asked.append((request.method, request.url.path, body))
        if request.url.path == "/v1/chat/completions":
            choices = [{"index": 0, "message": {"content": "Hello."}}]
            return httpx2.Response(200, json={"id": "x", "created": 1, "model": "m", "choices": choices})
        if request.method == "GET" and request.url.path == "/v1/prompts":
            return httpx2.Response(200, json={"data": [_prompt(2)], "next_cursor": None})
        version = body["version"] if request.method == "PUT" else int(request.url.path[-1:].replace("g", "2"))
        return httpx2.Response(200, json=_prompt(version))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(Session, "client", lambda _: client_of(made))
    return made


def _said(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["prompt", *words])
    assert done.exit_code == status, done.output
    return done.output


def test_what_is_shown_can_be_saved_again(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    file.write_text(_said("show", "greeting@1"))
    server.asked.clear()
    moved = _said("label", "greeting", "candidate", "2")
    assert "greeting@candidate is version 2" in moved
    assert server.asked == [("PUT", "/v1/prompts/greeting/labels/candidate", {"version": 2})]
    assert "Greet {{who}} as v1." in file.read_text()


def test_versions_are_compared_by_label_and_number(server: Server) -> None:
    lines = _said("diff", "greeting@candidate", "greeting@newest").splitlines()
    assert "-Greet {{who}} as v1." in lines
    assert "+Greet {{who}} as v2." in lines
    assert "names no prompt" in " ".join(_said("diff", "greeting@nobody", "greeting", status=1).split())


def test_a_label_goes_back_to_the_version_before(server: Server) -> None:
    assert "greeting@production is version 1" in _said("rollback", "greeting")
    assert server.asked[-1] == ("PUT", "/v1/prompts/greeting/labels/production", {"version": 1})
    assert "no other version" in " ".join(_said("rollback", "greeting", "--label", "candidate", status=1).split())


def test_a_prompt_is_tried_with_variables_of_their_types(server: Server) -> None:
    assert _said("try", "greeting@1", "Go.", "-v", "who=3", "-v", "n=3").strip() == "Hello."
    assert server.asked[-1][2] == {
        "model": "prompt:greeting@1",
        "messages": [{"role": "user", "content": "Go."}],
        "groundwork": {"variables": {"who": "3", "n": 3}},
    }


def test_prompts_are_listed_with_their_labels(server: Server) -> None:
    assert "production 2, candidate 1" in _said("list")
