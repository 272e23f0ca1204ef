"""Fixtures of the gateway's unit tests: a real SQLite ledger, a clock that moves only when told to, no sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket

from gateway.auth.key_repository import KeyRepository
from gateway.auth.tenant_repository import TenantRepository
from gateway.bootstrap import MIGRATIONS
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database.open(None, tmp_path, "gateway")
    await migrate(database, MIGRATIONS)
    yield database
    await database.close()


@pytest.fixture
def tenants(database: Database, clock: ManualClock) -> TenantRepository:
    return TenantRepository(database, clock)


@pytest.fixture
def keys(database: Database, tenants: TenantRepository, clock: ManualClock) -> KeyRepository:
    return KeyRepository(database, tenants, clock)
