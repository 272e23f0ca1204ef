"""The real gateway in front of ingest's real API, which works over shipped fakes and a web of fixed pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.gateway.running import RunningGateway, Servers, running_gateway

from contracts.retrieval.collections import CollectionCreate
from ingest.blobs.memory import MemoryBlobs
from ingest.bootstrap import assemble, create_app
from ingest.documents.collections import add_collection
from ingest.settings import IngestSettings
from ingest.stores import MIGRATIONS
from ingest.testing.index import MemoryIndex
from ingest.testing.notifier import MemoryNotifier
from ingest.testing.pages import FixedPages
from servicekit.core.clock import SystemClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate


@asynccontextmanager
async def gateway_to_ingest(folder: Path, pages: Mapping[str, tuple[bytes, str]]) -> AsyncIterator[RunningGateway]:
    """Both, with the collection `handbook` in the tenant `default`, until the block ends. Nothing is indexed."""
    settings = IngestSettings(data_dir=folder / "ingest", delegation_public_key_file=folder / "d.pub")
    database, index, servers = Database.open(None, folder, "ingest"), MemoryIndex(), Servers()
    await migrate(database, MIGRATIONS)
    await index.create_collection("", CollectionCreate(name="handbook"))
    await add_collection(database, "default", "handbook")
    web = FixedPages(pages, settings.address_policy())
    opened = assemble(settings, database, MemoryBlobs(), index, MemoryNotifier(), SystemClock(), web)
    url = await servers.start(create_app(settings, opened))
    async with running_gateway(folder, ingest_url=url) as running:
        yield running
    await servers.close()
    await database.close()
