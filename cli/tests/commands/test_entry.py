from __future__ import annotations

import contextlib
import re
from pathlib import Path

import httpx2
import pytest
from cli.tests.server import client_of
from typer.testing import CliRunner

from groundwork.commands import app
from groundwork.commands.session import Session

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("GROUNDWORK_HOME", "GROUNDWORK_BASE_URL", "GROUNDWORK_API_KEY", "GROUNDWORK_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GROUNDWORK_HOME", f"{tmp_path}/home")


def sentence(*arguments: str) -> str:
    done = RUNNER.invoke(app, list(arguments))
    assert done.exit_code == 1
    with contextlib.suppress(ValueError):
        return re.sub(r"\s+", " ", done.stderr).strip()
    return done.output


@pytest.mark.parametrize("command", [["status"], ["ask", "why?", "-c", "c"], ["search", "x", "-c", "c"]])
def test_without_a_server_a_command_says_how_to_start_one(command: list[str]) -> None:
    said = sentence(*command)
    assert "Nothing runs in" in said
    assert "groundwork up" in said
    assert "Traceback" not in said


def test_without_a_key_a_command_says_where_it_comes_from() -> None:
    assert "groundwork up" in sentence("key")


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "²"])
def test_a_limit_that_is_none_is_named_before_anything_is_sent(value: str) -> None:
    assert "--tokens-per-minute must be" in sentence("key", "create", "k", f"--tokens-per-minute={value}")
    assert "--usd-a-day must be" in sentence("key", "create", "k", "--usd-a-day=-3")
    assert "Nothing runs in" in sentence("key", "create", "k", "--tokens-per-minute=5", "--usd-a-day=0.5")


def test_the_homes_key_is_never_sent_to_a_named_server() -> None:
    assert "Give --api-key" in sentence("--base-url", "http://elsewhere.test", "search", "x", "-c", "c")


def test_a_setting_that_makes_no_sense_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWORK_PORT", "99999")
    assert "GROUNDWORK_PORT" in sentence("status")


def test_a_keys_name_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"id": "key_1", "name": "[/] of [red]all[/red]", "tenant": "t", "prefix": "gw_", "scopes": ["chat"]}
    page = {"data": [{**one, "created_at": "2026-01-01T00:00:00Z"}], "next_cursor": None}
    monkeypatch.setattr(Session, "client", lambda _: client_of(lambda _: httpx2.Response(200, json=page)))
    done = RUNNER.invoke(app, ["key", "list"])
    assert "[/] of [red]all[/red]" in done.output


@pytest.mark.parametrize("key", ["\u00fcmlaut", "a\nb"])
def test_a_key_that_can_not_be_one_is_said_before_anything_is_sent(key: str) -> None:
    said = sentence("--base-url", "http://elsewhere.test", "--api-key", key, "search", "x", "-c", "c")
    assert "copied whole" in said


def test_what_the_library_refuses_is_one_sentence() -> None:
    said = sentence("--base-url", "http://elsewhere.test", "--api-key", "k", "key", "create", "k", "--scope", "fly")
    assert said.startswith("scopes.0: Input should be 'chat'")


def test_a_home_that_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "File exists" in sentence("--home", str(tmp_path / "file"), "up")


def test_down_without_anything_running_is_no_error() -> None:
    done = RUNNER.invoke(app, ["down"])
    assert done.exit_code == 0
    assert "Nothing runs in" in done.output


def test_doctor_examines_without_changing_anything(tmp_path: object) -> None:
    done = RUNNER.invoke(app, ["doctor"])
    assert "python" in done.output
    assert "disk" in done.output


def test_config_shows_where_values_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_CONTEXT_TOKENS", "123")
    done = RUNNER.invoke(app, ["config", "agent", "--changed"])
    assert done.exit_code == 0
    assert re.search(r"AGENT_CONTEXT_TOKENS\s+123\s+environment", done.output)
    assert re.search(r"AGENT_PORT\s+\(chosen at start\)\s+groundwork", done.output)


def test_options_that_make_no_collection_are_named_before_anything_is_sent() -> None:
    assert "name:" in sentence("collection", "create", "No Name")
    assert "give that, too" in sentence("collection", "create", "c", "--max-tokens", "64")
    assert "overlap must be" in sentence(
        "collection", "create", "c", "--chunking=fixed", "--max-tokens=32", "--overlap=31"
    )
    assert "Nothing runs in" in sentence("collection", "create", "c", "--quantization=binary", "--on-disk")
