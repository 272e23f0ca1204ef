"""Fixtures of the gateway's unit tests: a real SQLite ledger, a clock that moves only when told to, no sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from pytest_socket import disable_socket
from services.gateway.tests.installation import Installation
from tests.support.sql.migrated import open_migrated

from gateway.auth.key_repository import KeyRepository
from gateway.auth.tenant_repository import TenantRepository
from gateway.bootstrap import MIGRATIONS, create_app, create_model_plane
from gateway.usage import ledger, meter
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_migrated(tmp_path, "gateway", MIGRATIONS)
    yield database
    await database.close()


@pytest.fixture
def tenants(database: Database, clock: ManualClock) -> TenantRepository:
    return TenantRepository(database, clock)


@pytest.fixture
def keys(database: Database, tenants: TenantRepository, clock: ManualClock) -> KeyRepository:
    return KeyRepository(database, tenants, clock)


@pytest.fixture
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has much else to do is no ledger that is away."""
    monkeypatch.setattr(ledger, "RESERVATION_SECONDS", 60.0)
    monkeypatch.setattr(meter, "COMMIT_SECONDS", 60.0)
    monkeypatch.setattr(meter, "SETTLE_SECONDS", 60.0)


@pytest.fixture
async def installation(
    _patience: None, tmp_path: Path, database: Database, clock: ManualClock
) -> AsyncIterator[Installation]:
    async with Installation(tmp_path, database, clock).running() as running:
        yield running


@asynccontextmanager
async def _opened(app: FastAPI, installation: Installation) -> AsyncIterator[httpx2.AsyncClient]:
    app.state.verifier = installation.verifier  # by the clock that stands still
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
            yield client


@pytest.fixture
async def public(installation: Installation) -> AsyncIterator[httpx2.AsyncClient]:
    """The public API, in this process."""
    async with _opened(create_app(installation.settings, installation.deps), installation) as client:
        yield client


@pytest.fixture
async def admin(installation: Installation, public: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The public API, asked by an administrator."""
    public.headers["Authorization"] = f"Bearer {await installation.secret(tenant='operators', scopes=['admin'])}"
    return public


@pytest.fixture
async def plane(installation: Installation) -> AsyncIterator[httpx2.AsyncClient]:
    """The model plane, in this process."""
    async with _opened(create_model_plane(installation.settings, installation.deps), installation) as client:
        yield client
