from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli.tests.terminal import sentence
from typer.main import get_command

from groundwork.commands.entry import app


@pytest.mark.parametrize("command", [["status"], ["ask", "why?", "-c", "c"], ["search", "x", "-c", "c"]])
def test_without_a_server_a_command_says_how_to_start_one(command: list[str]) -> None:
    said = sentence(*command)
    assert "Nothing runs in" in said
    assert "groundwork up" in said
    assert "Traceback" not in said


def test_a_setting_that_makes_no_sense_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWORK_PORT", "99999")
    assert "GROUNDWORK_PORT" in sentence("status")


@pytest.mark.parametrize("key", ["\u00fcmlaut", "a\nb"])
def test_a_key_that_can_not_be_one_is_said_before_anything_is_sent(key: str) -> None:
    said = sentence("--base-url", "http://elsewhere.test", "--api-key", key, "search", "x", "-c", "c")
    assert "copied whole" in said


def test_what_the_library_refuses_is_one_sentence() -> None:
    said = sentence("--base-url", "http://elsewhere.test", "--api-key", "k", "key", "create", "k", "--scope", "fly")
    assert said.startswith("scopes.0: Input should be 'chat'")


SPARED = {"eval searches"}
"""It is what `eval` alone means."""


def test_only_what_the_api_says_is_put_in_the_words_of_the_command_line() -> None:
    assert "'x' GET /v1/keys '" in sentence("ingest", "x' GET /v1/keys ", "-c", "c")


def test_the_readme_names_every_command() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[0].replace("\\|", " ") for line in readme.splitlines() if line.startswith("| `")]
    named = {word for row in rows for code in row.split("`")[1::2] for word in _commands_in(code.split())}
    missing = sorted(_commands_of(get_command(app)) - named - SPARED)
    assert missing == [], "cli/README.md's table lacks them"


def _commands_in(words: list[str]) -> set[str]:
    """What a cell may name: `up`, `key create`, and with several behind one group, each of them."""
    return {
        words[0],
        *(f"{words[0]} {word}" for word in words[1:]),
        *(" ".join((words[0], words[1], word)) for word in words[2:]),
    }


def _commands_of(command: Any, name: str = "") -> set[str]:
    children = getattr(command, "commands", {})
    return {found for each, child in children.items() for found in _commands_of(child, f"{name} {each}".strip())} or {
        name
    }
