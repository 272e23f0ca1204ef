from __future__ import annotations

import pytest
from cli.tests.installation import overrides

from groundwork.stack.configuration.files import SERVICES, check_settings, effective, unknown_settings
from groundwork.stack.home.errors import ConfigurationBroken
from groundwork.stack.home.folder import Home


@pytest.mark.parametrize("service", SERVICES)
def test_the_effective_configuration_shows_every_setting_and_no_secret(home: Home, service: str) -> None:
    theirs = overrides(home, GATEWAY_DATABASE_URL="postgresql://u:secret@h/d", RETRIEVER_QDRANT_API_KEY="secret")
    rows = effective(home, None, theirs, service)
    assert {row.variable for row in rows} >= {f"{service.upper()}_PORT", f"{service.upper()}_LOG_LEVEL"}
    assert not any("secret" in row.value.replace("(secret)", "") for row in rows)
    assert not home.root.exists(), "looking changes nothing"


def test_a_misspelt_setting_is_found(home: Home) -> None:
    assert unknown_settings(overrides(home, AGENT_LOGLEVEL="debug"), "agent") == ["AGENT_LOGLEVEL"]


@pytest.mark.parametrize(
    ("name", "text"), [("AGENT_CONTEXT_TOKENS", "many"), ("AGENT_LOG_LEVEL", "loud"), ("INGEST_MAX_PAGES", "0")]
)
def test_a_value_that_its_service_would_refuse_is_found_before_the_start(home: Home, name: str, text: str) -> None:
    with pytest.raises(ConfigurationBroken, match=rf"{name} \(from environment\) is not valid"):
        check_settings(overrides(home, **{name: text}))


def test_good_values_pass_and_the_shells_own_variables_play_no_part(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_CONTEXT_TOKENS", "many")
    check_settings(overrides(home, AGENT_LOG_LEVEL="debug", GATEWAY_DATABASE_URL="postgresql+asyncpg://h/d"))
