from __future__ import annotations

from pathlib import Path

import pytest
from cli.tests.installation import overrides

from groundwork.stack.home.errors import ConfigurationBroken
from groundwork.stack.home.folder import Home


def test_a_port_that_is_none_is_refused_with_its_name(home: Home) -> None:
    with pytest.raises(ConfigurationBroken, match="AGENT_PORT is 'eighty'"):
        overrides(home, AGENT_PORT="eighty").port("AGENT_PORT")


@pytest.mark.parametrize(("text", "port"), [("", 0), ("0", 0), ("65535", 65535)])
def test_no_port_and_any_port_are_the_same(home: Home, text: str, port: int) -> None:
    assert overrides(home, AGENT_PORT=text).port("AGENT_PORT") == port


@pytest.mark.parametrize("text", ["65536", "-1", "80.0", " 80"])
def test_a_number_that_is_no_port_is_refused(home: Home, text: str) -> None:
    with pytest.raises(ConfigurationBroken, match="not a port"):
        overrides(home, AGENT_PORT=text).port("AGENT_PORT")


def test_an_empty_value_hides_that_of_a_file_and_counts_as_not_set(home: Home, tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("REDIS_URL=redis://elsewhere\nAGENT_LOG_LEVEL\n")
    theirs = overrides(home, dotenv, REDIS_URL="")
    assert theirs.get("REDIS_URL") is None
    assert theirs.get("AGENT_LOG_LEVEL") is None, "a name without a value says nothing"
    assert overrides(home, dotenv).get("REDIS_URL") == "redis://elsewhere"


def test_a_value_in_a_file_is_taken_as_it_is_written(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password may hold a dollar."""
    monkeypatch.setenv("USER", "somebody")
    home.create()
    home.settings_file.write_text("GATEWAY_DATABASE_URL='postgresql://u:pa$USER${HOME}@h/d'\n")
    assert overrides(home).get("GATEWAY_DATABASE_URL") == "postgresql://u:pa$USER${HOME}@h/d"


def test_a_file_that_is_no_text_is_named(home: Home) -> None:
    home.create()
    home.settings_file.write_bytes(b"AGENT_LOG_LEVEL=\xff\n")
    with pytest.raises(ConfigurationBroken, match=r"config\.env can't be read .*NAME=value lines in UTF-8"):
        overrides(home)


def test_the_clients_key_and_what_slows_down_every_start_are_not_even_read(home: Home) -> None:
    theirs = overrides(home, GROUNDWORK_API_KEY="gw", PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0", PATH="/bin")
    assert theirs.passed("agent") == {"PYTHONHASHSEED": "0", "PATH": "/bin"}


def test_a_variable_that_the_models_file_names_is_passed_where_it_is_asked_for(home: Home) -> None:
    theirs = overrides(home, MY_MODEL="key", HF_TOKEN="hub", AWS_REGION="eu", HTTPS_PROXY="http://p")
    assert theirs.passed("inference", {"MY_MODEL"}) == {"MY_MODEL": "key", "HF_TOKEN": "hub", "HTTPS_PROXY": "http://p"}
    assert theirs.passed("worker") == {"AWS_REGION": "eu", "HTTPS_PROXY": "http://p"}
    assert theirs.passed("gateway") == {"HTTPS_PROXY": "http://p"}
