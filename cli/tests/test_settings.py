from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from groundwork.settings import CommandSettings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is given."""
    for name in ("HOME", "PORT", "BASE_URL", "API_KEY"):
        monkeypatch.delenv(f"GROUNDWORK_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As compose files and shells leave it where nothing is set."""
    for name in ("GROUNDWORK_HOME", "GROUNDWORK_PORT", "GROUNDWORK_API_KEY"):
        monkeypatch.setenv(name, "")
    settings = CommandSettings()
    assert (settings.home, settings.port, settings.api_key) == (Path(".groundwork"), 8080, None)


def test_the_environment_wins_over_the_folders_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("GROUNDWORK_PORT=9000\nGROUNDWORK_HOME=there\nGATEWAY_LOG_LEVEL=debug\n")
    monkeypatch.setenv("GROUNDWORK_PORT", "9001")
    settings = CommandSettings()
    assert (settings.port, settings.home) == (9001, Path("there"))


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_what_is_no_port_is_refused(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWORK_PORT", port)
    with pytest.raises(ValidationError, match="port"):
        CommandSettings()


def test_any_free_port_may_be_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWORK_PORT", "0")
    assert CommandSettings().port == 0


def test_a_key_is_never_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWORK_API_KEY", "gw_secret")
    assert "gw_secret" not in repr(CommandSettings())
