from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest
from cli.tests.server import client_of, error
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.session import Session


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    file = tmp_path / "capitals.jsonl"
    lines = [{"id": name, "question": name, "answer": "Paris"} for name in ("France", "Spain")]
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


def _answering(request: httpx2.Request) -> httpx2.Response:
    if not request.url.path.endswith("/chat/completions"):
        return error(404, "model_not_found")
    asked = json.loads(request.read())["messages"][0]["content"]
    message = {"role": "assistant", "content": "Paris" if asked == "France" else "Madrid"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return httpx2.Response(200, json={"id": "c", "created": 1, "model": "m", "choices": [choice]})


def _output(*words: object, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["eval", *map(str, words)])
    assert done.exit_code == status, done.output
    return " ".join(done.output.split())


def test_a_model_is_measured_and_the_figures_are_written(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "client", lambda _: client_of(_answering))
    shown = _output("model", "m", "--tasks", tasks, "--json", tmp_path / "r.json")
    assert "capitals exact_match 0.5000 0.0000 … 1.0000 2" in shown
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["model"] == "m"
    (file,) = written["tasks"]
    assert (file["kind"], file["means"]["exact_match"]["value"], len(file["digest"])) == ("generation", 0.5, 64)
    assert [one["exact_match"] for one in file["by_task"]] == [1, 0]


def test_what_can_not_be_asked_is_said_in_one_sentence(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "client", lambda _: client_of(lambda _: error(404, "model_not_found")))
    assert "[model_not_found, request req-1]" in _output("model", "m", "--tasks", tasks, status=1)
    assert "can't be written" in _output("model", "m", "--tasks", tasks, "--json", tmp_path / "no" / "r", status=1)
    tasks.write_text('{"query": "q"}\n')
    assert "capitals.jsonl, line 1: 'answers' is a list" in _output("model", "m", "-t", tasks, status=1)


def test_a_collection_called_model_is_still_searched(tasks: Path) -> None:
    assert "names no relevant document" in _output("model", tasks, status=1)
    assert "standard benchmarks" in _output("model", "--help")
    assert "searches" in _output("--help")
