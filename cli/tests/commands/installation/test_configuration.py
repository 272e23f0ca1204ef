from __future__ import annotations

import re

import pytest
from cli.tests.terminal import output


def test_config_shows_where_values_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_CONTEXT_TOKENS", "123")
    shown = output("config", "agent", "--changed")
    assert re.search(r"AGENT_CONTEXT_TOKENS\s+123\s+environment", shown)
    assert re.search(r"AGENT_PORT\s+\(chosen at start\)\s+groundwork", shown)
