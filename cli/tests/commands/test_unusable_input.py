"""What can't be read or sent is one sentence that says what to do, never a traceback."""

from __future__ import annotations

import os
import re
from pathlib import Path

import httpx2
import pytest
from cli.tests.server import client_of
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.session import Session
from groundwork.errors import QuestionsInvalid
from groundwork.evaluation.questions import read_questions

NO_TEXT = os.fsdecode(b"\xff")
DIGITS = "9" * 5000
SERVER = ("--base-url", "http://groundwork.test", "--api-key", "k")


def sentence(*arguments: str) -> str:
    """What a command that fails says."""
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    said = re.sub(r"\s+", " ", done.stderr).strip()
    assert said.count("\n") == 0
    return said


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("when: 2026-13-45\n", "month must be in"),
        ('a: !!int "x"\n', "invalid literal"),
        ('a: !!timestamp "x"\n', "does not fit its tag"),
        ("a: !!bool x\n", "does not fit its tag"),
        (f"a: {DIGITS}\n", "digits"),
        ("limits: {seconds: .inf}\n", "float values"),
        ('model: "\\ud800"\n', "half a character"),
        ("[" * 3000, "nested too deeply"),
        ("a: &x [*x]\n", "Circular"),
        ("- a\n", "no mapping"),
    ],
    ids=lambda value: value[:20],
)
def test_a_file_that_holds_no_agent(tmp_path: Path, written: str, why: str) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(written)
    said = sentence(*SERVER, "agent", "save", str(file))
    assert f"'{file}' holds no agent: " in said
    assert why in said
    assert "Write a mapping in YAML or JSON" in said


def test_an_agents_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_bytes(b"model: \xff")
    assert "not UTF-8" in sentence(*SERVER, "agent", "save", str(tmp_path / "agent.yaml"))


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
def test_an_argument_that_is_no_text(monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    monkeypatch.setattr(Session, "client", lambda _: client_of(lambda _: httpx2.Response(500)))
    assert "Write it in UTF-8" in sentence(*command)


@pytest.mark.parametrize("option", ["--requests-per-minute", "--tokens-per-minute", "--concurrency"])
def test_a_limit_with_thousands_of_digits(option: str) -> None:
    assert f"{option} must be a whole number from 1" in sentence(*SERVER, "key", "create", "n", option, DIGITS)


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


def test_a_key_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "admin.key").write_bytes(b"\xff\xfe")
    assert "Put the key back" in sentence("--home", str(tmp_path), "key")


@pytest.mark.parametrize("watch", [(), ("--watch",)], ids=["once", "watch"])
def test_an_empty_path_is_not_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, watch: tuple[str, ...]
) -> None:
    """As in `ingest "$FOLDER"` where the variable is not set."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "private.md").write_text("x")
    monkeypatch.setattr(Session, "client", lambda _: pytest.fail("it asked the server"))
    assert "An empty path" in sentence("ingest", *watch, "", "-c", "c")
