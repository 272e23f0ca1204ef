"""Fixtures of the commands' tests: a home that is not there yet, and a server in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.tests.server import Serve, client_of

from groundwork.commands.session import Session


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GROUNDWORK_BASE_URL", "GROUNDWORK_API_KEY", "GROUNDWORK_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GROUNDWORK_HOME", f"{tmp_path}/home")


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Let every command talk to this server."""
    return lambda handler: monkeypatch.setattr(Session, "client", lambda _: client_of(handler))
