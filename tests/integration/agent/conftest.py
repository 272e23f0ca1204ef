"""Agents and a gateway with a database each, of each kind in turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.home.postgres import postgres_installed, temporary_postgres


@pytest.fixture(params=["sqlite", *(["postgres"] if postgres_installed() else [])])
def databases(request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Settings of the gateway and of the agent service."""
    if request.param == "sqlite":
        yield {}, {}
        return
    with temporary_postgres() as ours, temporary_postgres() as theirs:
        yield {"database_url": SecretStr(ours)}, {"database_url": SecretStr(theirs)}
