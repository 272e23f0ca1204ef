"""What can't be read or sent is one sentence that says what to do, never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import httpx2
import pytest
from cli.tests.server import Serve
from cli.tests.terminal import sentence

from groundwork.commands.session import Session
from groundwork.errors import QuestionsInvalid
from groundwork.evaluation.questions import read_questions

NO_TEXT = os.fsdecode(b"\xff")


@pytest.mark.parametrize(
    "command",
    [
        ("search", NO_TEXT, "-c", "c"),
        ("ask", NO_TEXT, "-c", "c"),
        ("tenant", "delete", "--yes", NO_TEXT),
        ("agent", "cancel", "t", NO_TEXT),
    ],
    ids=lambda command: command[0],
)
def test_an_argument_that_is_no_text(serve: Serve, command: tuple[str, ...]) -> None:
    serve(lambda _: httpx2.Response(500))
    assert "Write it in UTF-8" in sentence(*command)


@pytest.mark.parametrize("url", ["http://a..b", f"http://{'a' * 70}.b"])
def test_a_url_that_names_no_host(url: str) -> None:
    assert "names no host" in sentence("--base-url", url, "--api-key", "k", "search", "x", "-c", "c")


@pytest.mark.parametrize(
    ("line", "why"),
    [("[" * 200_000, "nested too deeply"), ('{"query": "\\ud800", "relevant": "d"}', "half a character")],
    ids=["deep", "half"],
)
def test_a_question_that_can_not_be_asked(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "questions.jsonl").write_text(line)
    with pytest.raises(QuestionsInvalid, match=f"line 1.*{why}"):
        read_questions(tmp_path / "questions.jsonl")


def test_an_env_file_that_is_no_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    assert ".env in this folder" in sentence("status")


@pytest.mark.parametrize("watch", [(), ("--watch",)], ids=["once", "watch"])
def test_an_empty_path_is_not_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, watch: tuple[str, ...]
) -> None:
    """As in `ingest "$FOLDER"` where the variable is not set."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "private.md").write_text("x")
    monkeypatch.setattr(Session, "client", lambda _: pytest.fail("it asked the server"))
    assert "An empty path" in sentence("ingest", *watch, "", "-c", "c")
