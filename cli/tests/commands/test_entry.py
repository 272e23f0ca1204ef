from __future__ import annotations

import pytest
from cli.tests.terminal import sentence


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
