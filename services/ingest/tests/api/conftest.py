"""The app for each test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from services.ingest.tests.api.client import LIMIT, Api
from starlette.testclient import TestClient
from tests.support.sql.migrated import open_migrated

from extraction.chunking.tokens import Tokens
from ingest.blobs.memory import MemoryBlobs
from ingest.bootstrap import assemble, create_app
from ingest.settings import IngestSettings
from ingest.stores import MIGRATIONS
from ingest.testing.gateway import MemoryPlatform
from ingest.testing.index import MemoryIndex
from ingest.testing.notifier import MemoryNotifier
from ingest.testing.tokens import FixedTokenizers, FixedTokens
from ingest.worker.bootstrap import assemble_worker
from servicekit.auth.delegation import DelegationSigner, generate_key_pair
from servicekit.core.clock import SystemClock
from servicekit.sql.database import Database


@pytest.fixture
def api(tmp_path: Path, tokens: Tokens) -> Iterator[Api]:
    private, public = generate_key_pair()
    (tmp_path / "delegation.pub").write_bytes(public)
    settings = IngestSettings(
        data_dir=tmp_path, delegation_public_key_file=tmp_path / "delegation.pub", max_upload_bytes=LIMIT
    )
    index, notifier, blobs = MemoryIndex(), MemoryNotifier(), MemoryBlobs()
    database, clock = Database.open(None, tmp_path, "ingest"), SystemClock()
    asyncio.run(_prepare(tmp_path))
    app = create_app(settings, assemble(settings, database, blobs, index, notifier, clock))
    worker = assemble_worker(
        settings, database, blobs, index, FixedTokens(), FixedTokenizers(tokens), MemoryPlatform(), clock
    )
    with TestClient(app, raise_server_exceptions=False) as client:
        api = Api(client, DelegationSigner(private), worker, notifier)
        assert api.call("POST", "/v1/collections", json={"name": "handbook"}).status_code == 201
        yield api
        assert client.portal is not None
        client.portal.call(worker.close)
        client.portal.call(database.close)


async def _prepare(folder: Path) -> None:
    await (await open_migrated(folder, "ingest", MIGRATIONS)).close()
