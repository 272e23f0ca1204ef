from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli.tests.server import client_of, error
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.documents import evaluation
from groundwork.commands.session import Session

RUNNER = CliRunner()


@pytest.fixture
def questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GROUNDWORK_BASE_URL", "GROUNDWORK_API_KEY", "GROUNDWORK_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GROUNDWORK_HOME", f"{tmp_path}/home")
    file = tmp_path / "questions.jsonl"
    file.write_text('{"query": "How many days?", "relevant": ["leave.md"]}\n')
    return file


def said(*arguments: object, status: int = 1) -> str:
    done = RUNNER.invoke(app, ["eval", "c", *map(str, arguments)])
    assert done.exit_code == status
    assert "Traceback" not in done.output
    return " ".join(done.output.split())


def test_what_is_wrong_with_the_questions_is_said_without_a_server(questions: Path) -> None:
    questions.write_text('{"query": "How many days?", "relevant": ["leave.md"]}\n{"query": "And?"}\n')
    assert "questions.jsonl, line 2: it names no relevant document" in said(questions)


def test_results_that_can_not_be_written_are_said_before_anything_is_asked(questions: Path, tmp_path: Path) -> None:
    assert "SVG file" in said(questions, "--plot", tmp_path / "plot.png")
    assert "can't be written" in said(questions, "--json", tmp_path / "nowhere" / "x.json")
    assert "can't be written" in said(questions, "--json", tmp_path)


def test_modes_that_do_not_exist_are_named(questions: Path) -> None:
    assert "'hybrid,lexical' names no modes, or others than hybrid, dense, sparse" in said(
        questions, "--modes", "hybrid,lexical"
    )


def test_nothing_is_applied_that_is_not_measured(questions: Path) -> None:
    assert "add --rerank" in said(questions, "--apply")
    assert "add --rerank" in said(questions, "--apply", "--rerank", "--modes", "dense")


def test_a_gate_needs_an_earlier_result_that_can_be_read(questions: Path, tmp_path: Path) -> None:
    assert "add --baseline" in said(questions, "--gate", "nDCG@10", status=2)
    assert "can't be read" in said(questions, "--baseline", tmp_path / "gone.json")


def test_a_gate_that_can_not_be_told_ends_with_2(
    questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = tmp_path / "then.json"
    then.write_text('{"by_question": [], "question_set": {"name": "policies", "version": 1, "digest": "a"}}')
    gate = ("--baseline", then, "--gate", "nDCG@10")
    assert "groundwork up" in said(questions, *gate, status=2)
    monkeypatch.setattr(Session, "client", lambda _: client_of(lambda _: error(404, "question_set_not_found")))
    assert "It went wrong." in said("set:policies@2", *gate, status=2)
    about = {"question_set": {"name": "policies", "version": 2, "digest": "b"}}
    monkeypatch.setattr(evaluation, "_of_set", lambda *_: (about, []))
    assert "asked another version" in said("set:policies@2", *gate, status=2)


def test_a_set_is_named_by_name_and_number(questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "client", lambda _: client_of(lambda _: error(404, "question_set_not_found")))
    assert "names no question set" in said("set:Policies@x")
    assert "It went wrong." in said("set:policies@2")


def test_without_a_server_it_says_how_to_start_one(questions: Path) -> None:
    assert "groundwork up" in said(questions)


def test_without_its_extra_it_names_what_to_install(questions: Path) -> None:
    program = "import sys; sys.modules['pytrec_eval'] = None; from groundwork.commands import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", program, "eval", "c", str(questions)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "pip install 'groundwork[evaluation]'" in done.stderr
