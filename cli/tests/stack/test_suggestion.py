from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.stack import suggestion as suggestions
from groundwork.stack.suggestion import suggestion

GIGABYTE = 1_000_000_000


class Machine:
    """What the suggestion sees of a machine: memory, and Ollama's list or that it does not run."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.memory(8)
        self.graphics(0)
        self.ollama(None)

    def memory(self, gigabytes: float) -> None:
        available = SimpleNamespace(available=int(gigabytes * GIGABYTE))
        self._patch.setattr(suggestions.psutil, "virtual_memory", lambda: available)

    def graphics(self, gigabytes: float) -> None:
        self._patch.setattr(suggestions, "_graphics_memory", lambda: int(gigabytes * GIGABYTE))

    def ollama(self, body: Any) -> None:
        def get(url: str, **_: Any) -> httpx2.Response:
            if body is None:
                raise httpx2.ConnectError("refused")
            return httpx2.Response(200, json=body)

        self._patch.setattr(suggestions.httpx2, "get", get)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def ollama(**sizes: float) -> dict[str, Any]:
    return {"models": [{"name": name.replace("__", ":"), "size": int(size * GIGABYTE)} for name, size in sizes.items()]}


def test_the_largest_chat_model_of_ollama_that_fits_comes_first(machine: Machine, tmp_path: Path) -> None:
    machine.ollama(ollama(qwen3__8b=5, qwen3__32b=20, llama3__latest=2, bge__m3=5.5, gpt__cloud=0.0001))
    found = suggestion({"OPENAI_API_KEY": "k"}, tmp_path)
    assert found.command == "groundwork model add qwen3-8b --ollama qwen3:8b --default"
    machine.graphics(40)
    assert "qwen3:32b" in suggestion({}, tmp_path).command


def test_a_providers_key_comes_next(machine: Machine, tmp_path: Path) -> None:
    found = suggestion({"ANTHROPIC_API_KEY": "k"}, tmp_path)
    assert found.command.startswith("groundwork model add claude --anthropic ")
    assert found.reason == "ANTHROPIC_API_KEY is set."
    assert "openai" in suggestion({"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}, tmp_path).command


def test_then_a_gguf_file_that_fits(machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for name, size in (
        ("small q4.gguf", 0.5),
        ("large.gguf", 20),
        ("mmproj-x.gguf", 0.9),
        ("a-00002-of-00002.gguf", 1),
    ):
        with (folder / name).open("wb") as file:
            file.truncate(int(size * GIGABYTE))
    found = suggestion({}, tmp_path)
    assert shlex.split(found.command)[:6] == [
        "groundwork", "model", "add", "small-q4", "--gguf", str(folder / "small q4.gguf"),
    ]  # fmt: skip


@pytest.mark.parametrize(("memory", "model"), [(1, "qwen3:1.7b"), (8, "qwen3:4b"), (16, "qwen3:8b"), (64, "qwen3:14b")])
def test_else_what_ollama_could_pull_into_this_memory(
    machine: Machine, tmp_path: Path, memory: float, model: str
) -> None:
    machine.memory(memory)
    found = suggestion({}, tmp_path)
    assert found.command.startswith(f"ollama pull {model} && groundwork model add ")
    assert "ollama.com" in found.reason
    machine.ollama({"models": []})
    assert "without a chat model" in suggestion({}, tmp_path).reason


@pytest.mark.parametrize("body", [[], {"models": [{"name": "x"}]}, {"models": 3}])
def test_what_is_not_ollama_is_none(machine: Machine, tmp_path: Path, body: Any) -> None:
    machine.ollama(body)
    assert suggestion({"OPENAI_API_KEY": "k"}, tmp_path).reason == "OPENAI_API_KEY is set."


def test_the_command_prints_one_line_to_copy(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    done = CliRunner().invoke(app, ["model", "suggest"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "groundwork model add gpt --openai gpt-4.1-mini --default"
