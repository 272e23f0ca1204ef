from __future__ import annotations

import re

import pytest
from cli.tests.terminal import output, run


def test_config_shows_where_values_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_CONTEXT_TOKENS", "123")
    shown = output("config", "agent", "--changed")
    assert re.search(r"AGENT_CONTEXT_TOKENS\s+123\s+environment", shown)
    assert re.search(r"AGENT_PORT\s+\(chosen at start\)\s+groundwork", shown)


def test_a_service_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    done = run("config", "gatway")
    assert done.exit_code == 2
    assert "There is no service 'gatway'" in done.stderr
    assert "retriever" in done.stderr


def test_a_misspelt_setting_is_told_beside_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRIEVER_LOGLEVEL", "debug")
    done = run("config", "retriever", "--changed")
    assert done.exit_code == 0
    assert "RETRIEVER_LOGLEVEL is not a setting of retriever; is it misspelt?" in done.stderr
    assert "RETRIEVER_LOGLEVEL" not in done.stdout


def test_the_meaning_of_a_setting_and_the_value_of_a_secret_are_shown_only_when_wanted_and_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RETRIEVER_DATABASE_URL", "postgresql://u:hush@h/d")
    short, long = output("config", "retriever"), output("config", "retriever", "--explain")
    assert "meaning" not in short.split()
    assert "meaning" in long.split()
    assert re.search(r"RETRIEVER_DATABASE_URL\s+\(secret\)\s+environment", short)
    assert "hush" not in short + long
