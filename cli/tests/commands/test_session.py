from __future__ import annotations

from pathlib import Path

import pytest
from cli.tests.installation import run_state
from cli.tests.terminal import sentence
from pydantic import SecretStr

from groundwork.commands.session import NoKey, Session, console_for_results
from groundwork.settings import CommandSettings
from groundwork.stack import lifecycle


def test_the_homes_key_is_never_sent_to_a_named_server() -> None:
    assert "Give --api-key" in sentence("--base-url", "http://elsewhere.test", "search", "x", "-c", "c")


def test_a_key_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "admin.key").write_bytes(b"\xff\xfe")
    assert "Put the key back" in sentence("--home", str(tmp_path), "key")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that runs, with its admin key."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "admin.key").write_text(" gw_admin\n")
    monkeypatch.setattr(lifecycle, "require_running", run_state)
    return tmp_path


def test_the_homes_own_server_is_talked_to_with_the_homes_own_key(home: Path) -> None:
    session = Session(CommandSettings(home=home))
    assert (session.base_url(), session.api_key()) == ("http://127.0.0.1:21000", "gw_admin")


def test_what_was_named_wins_over_the_home(home: Path) -> None:
    key = SecretStr("gw_mine")
    assert Session(CommandSettings(home=home, api_key=key)).api_key() == "gw_mine"
    named = Session(CommandSettings(home=home, base_url="http://elsewhere.test", api_key=key))
    assert (named.base_url(), named.api_key()) == ("http://elsewhere.test", "gw_mine")
    with pytest.raises(NoKey, match=r"elsewhere\.test"):
        Session(CommandSettings(home=home, base_url="http://elsewhere.test")).api_key()


def test_a_home_without_a_key_says_when_it_is_written(home: Path) -> None:
    (home / "keys" / "admin.key").unlink()
    with pytest.raises(NoKey, match=r"at its first start: `groundwork up`"):
        Session(CommandSettings(home=home)).api_key()


def test_what_is_written_into_a_file_is_neither_wrapped_nor_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    line = "[red]x[/red] :key: " + "word " * 100 + "end"
    console_for_results().print(line)
    assert capsys.readouterr().out == f"{line}\n"
